/**
 * The process's streams. Commands never touch them: `main` writes what a command returns, and hands it the input.
 * Nothing here decides what is written.
 */
import { createInterface } from "node:readline/promises";
import { isatty } from "node:tty";
import { BlackboardError, codeOf, reasonOf, usageError } from "../core/errors.ts";
import type { Input } from "./command.ts";
import { EXIT_OF_SIGNAL, EXITS, type StopSignal } from "./exit.ts";
import { isStandIn, processInput } from "./stdin.ts";

/** What `main` needs of the outside. */
export interface Io {
  readonly input: Input;
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Whether what is written to stdout goes nowhere, because whoever started the process has closed it. */
  readonly isOutputClosed: boolean;
  /** Calls back once, at the first SIGHUP, SIGINT, SIGQUIT or SIGTERM; the next one ends the process at once. */
  onStop(stop: (signal: StopSignal) => void): void;
  /** Whether there is a person at the terminal to ask. */
  readonly canAsk: boolean;
  /** Asks a yes-or-no question on the terminal. */
  confirm(question: string): Promise<boolean>;
}

export interface Sink {
  readonly isTerminal: boolean;
  readonly columns: number;
  /** Resolves when the bytes are out. Rejects with `ReaderGone` if nobody will read them. */
  write(bytes: string | Uint8Array): Promise<void>;
}

/** The reader closed its end (`| head`). Not an error. */
export class ReaderGone extends Error {}

/** The real thing. */
export function processIo(): Io {
  return {
    input: processInput(),
    stdout: sink(1, () => process.stdout),
    stderr: sink(2, () => process.stderr),
    get isOutputClosed() {
      return isStandIn(1);
    },
    onStop,
    canAsk: isatty(0),
    confirm,
  };
}

/** The second signal ends it by `exit`, not by the signal itself, so that commands run here are ended with it. */
function onStop(stop: (signal: StopSignal) => void): void {
  let isTold = false;
  for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (isTold) process.exit(EXITS[EXIT_OF_SIGNAL[signal]].code);
      isTold = true;
      stop(signal);
    });
  }
}

/** A stream of the process costs milliseconds to make, so each is made at its first use. */
function sink(descriptor: number, open: () => NodeJS.WriteStream): Sink {
  let stream: NodeJS.WriteStream | null = null;
  const opened = () => {
    stream ??= open().on("error", () => {}); // each write's own callback has the error
    return stream;
  };
  return {
    isTerminal: isatty(descriptor),
    get columns() {
      return (isatty(descriptor) && opened().columns) || 80; // a terminal that does not know its width says 0
    },
    write: (bytes) =>
      new Promise((resolve, reject) => opened().write(bytes, (error) => settle(error, resolve, reject))),
  };
}

function settle(error: Error | null | undefined, resolve: () => void, reject: (error: Error) => void): void {
  if (!error) resolve();
  else if (codeOf(error) === "EPIPE") reject(new ReaderGone());
  else reject(new BlackboardError("unavailable", `cannot write the output: ${reasonOf(error)}`));
}

async function confirm(question: string): Promise<boolean> {
  if (!isatty(2)) {
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
