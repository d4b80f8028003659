/**
 * The process's streams. Commands never touch them: `main` writes what a command returns, and hands it the input.
 * Nothing here decides what is written.
 */
import { write } from "node:fs";
import { createInterface } from "node:readline/promises";
import { setTimeout as pause } from "node:timers/promises";
import { isatty } from "node:tty";
import { BlackboardError, codeOf, reasonOf, usageError } from "../core/errors.ts";
import type { Input } from "./command.ts";
import { EXIT_OF_SIGNAL, EXITS, type StopSignal } from "./exit.ts";
import { isStandIn, processInput } from "./stdin.ts";

/** How often a pipe that is full is tried again, in milliseconds. */
const FULL_MS = 10;

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
  /** The process that started this one. */
  readonly parentPid: number;
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
    stderr: patientSink(2),
    get isOutputClosed() {
      return isStandIn(1);
    },
    onStop,
    onOther,
    endBy,
    parentPid: process.ppid,
    canAsk: isatty(0),
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

/**
 * Written from another thread: a reader who does not read on holds up what waits for the write, and nothing else. The process's own
 * stream would stop everything, and what must not be stopped may be under way.
 */
function patientSink(descriptor: number): Sink {
  return {
    isTerminal: isatty(descriptor),
    columns: 80,
    write: (bytes) =>
      writeAll(descriptor, Buffer.from(bytes)).catch((error: unknown) => {
        throw writeFailure(error);
      }),
  };
}

async function writeAll(descriptor: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += await writeSome(descriptor, bytes, at, bytes.length - at);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      await pause(FULL_MS); // whoever shares it has made it so that it does not wait by itself
    }
  }
}

function writeSome(descriptor: number, bytes: Buffer, at: number, length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, at, length, null, (error, written) =>
      error ? reject(error) : resolve(written),
    );
  });
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
  else reject(writeFailure(error));
}

function writeFailure(error: unknown): Error {
  if (codeOf(error) === "EPIPE") return new ReaderGone();
  return new BlackboardError("unavailable", `cannot write the output: ${reasonOf(error)}`);
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
