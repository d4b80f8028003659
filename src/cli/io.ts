/**
 * The process's streams. Commands never touch them: `main` writes what a command returns, and hands it the input.
 * Nothing here decides what is written.
 */
import { createInterface } from "node:readline/promises";
import { usageError } from "../core/errors.ts";
import type { Input } from "./command.ts";
import { EXIT_OF_SIGNAL, EXITS, type StopSignal } from "./exit.ts";
import { isTerminal, outputSink, type Sink, sharedSink } from "./sink.ts";
import { isStandIn, processInput } from "./stdin.ts";

/** What `main` needs of the outside. */
export interface Io {
  readonly input: Input;
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Whether what is written to stdout goes nowhere, because whoever started the process has closed it. */
  readonly isOutputClosed: boolean;
  /** Calls back at each SIGHUP, SIGINT, SIGQUIT and SIGTERM; if nobody there wants it, it ends the process at once. */
  onStop(stop: (signal: StopSignal) => boolean): void;
  /** Calls back at each signal that `onStop` leaves alone and that can be passed on to a command. What is returned ends that. */
  onOther(pass: (signal: NodeJS.Signals) => void): () => void;
  /** At its very end the process ends by this signal, so that whoever started it sees that. */
  endBy(signal: NodeJS.Signals): void;
  /** The process that started this one; another's number when that one has ended. */
  readonly parentPid: number;
  /** Whether there is a person at the terminal to ask. */
  readonly canAsk: boolean;
  /** Asks a yes-or-no question on the terminal. */
  confirm(question: string): Promise<boolean>;
}

/** The real thing. */
export function processIo(): Io {
  return {
    input: processInput(),
    stdout: outputSink(1, () => process.stdout),
    stderr: sharedSink(2),
    get isOutputClosed() {
      return isStandIn(1);
    },
    onStop,
    onOther,
    endBy,
    get parentPid() {
      return process.ppid;
    },
    get canAsk() {
      return isTerminal(0);
    },
    confirm,
  };
}

/** What nobody wants ends it by `exit`, not by the signal itself, so that commands run here are ended with it. */
function onStop(stop: (signal: StopSignal) => boolean): void {
  for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (!stop(signal)) process.exit(EXITS[EXIT_OF_SIGNAL[signal]].code);
    });
  }
}

/** Those that would end or stop this process, or its debugger begin. */
const OTHERS = ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGTSTP"] as const;

function onOther(pass: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of OTHERS) process.on(signal, pass);
  return () => {
    for (const signal of OTHERS) process.off(signal, pass);
  };
}

function endBy(signal: NodeJS.Signals): void {
  process.on("exit", () => {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

async function confirm(question: string): Promise<boolean> {
  if (!isTerminal(2)) {
    throw usageError("cannot ask, because stderr is not the terminal", "--yes if it is meant");
  }
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  // readline takes Ctrl-C for itself; it is meant for the program. Ctrl-D is a no.
  reader.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
  const closed = new Promise<string>((resolve) => reader.once("close", () => resolve("")));
  const answer = await Promise.race([reader.question(`${question} [y/N] `), closed]);
  reader.close();
  return /^y(es)?$/i.test(answer.trim());
}
