/**
 * Where output goes. What its reader takes at once is written at once, without a stream of the process, which costs milliseconds to make; only
 * what has to wait for its reader waits, and then nothing else does.
 */
import { constants, fstatSync, openSync, type Stats, statSync, write, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { isatty } from "node:tty";
import { BlackboardError, codeOf, reasonOf } from "../core/errors.ts";
import { Later } from "../core/later.ts";

/** How often a pipe that is full is tried again, in milliseconds. */
const FULL_MS = 10;

export interface Sink {
  readonly isTerminal: boolean;
  readonly columns: number;
  /** Resolves when the bytes are out. Rejects with `ReaderGone` if nobody will read them. */
  write(bytes: string | Uint8Array): Promise<void>;
}

/** The reader closed its end (`| head`). Not an error. */
export class ReaderGone extends Error {}

/** Writes what could not be written at once. `now`: a descriptor that does not wait, if there is one. */
type WriteLater = (bytes: Buffer, now: number | null) => Promise<void>;

/** What cannot be written at once goes through the process's own stream, which waits without stopping anything. */
export function outputSink(descriptor: number, stream: () => NodeJS.WriteStream): Sink {
  let opened: NodeJS.WriteStream | null = null;
  const open = () => {
    opened ??= stream().on("error", () => {}); // each write's own callback has the error
    return opened;
  };
  const later: WriteLater = (bytes) =>
    new Promise((resolve, reject) => open().write(bytes, (error) => (error ? reject(error) : resolve())));
  const terminal = new Later(() => isTerminal(descriptor));
  return {
    get isTerminal() {
      return terminal.it;
    },
    get columns() {
      return (terminal.it && open().columns) || 80; // a terminal that does not know its width says 0
    },
    write: writer(descriptor, later, () => opened !== null),
  };
}

/**
 * The same for a descriptor that is shared with commands that are run here: it is left as it is. The process's own stream would make
 * it one that does not wait, and they are not prepared for that.
 */
export function sharedSink(descriptor: number): Sink {
  const later: WriteLater = (bytes, now) => writePatiently(now ?? descriptor, bytes);
  const terminal = new Later(() => isTerminal(descriptor));
  return {
    get isTerminal() {
      return terminal.it;
    },
    columns: 80,
    write: writer(descriptor, later, () => false),
  };
}

/** Whether it is a terminal. Asking `tty` loads the network's module; what is most often there instead, the file system knows. */
export function isTerminal(descriptor: number): boolean {
  const stats = statOf(descriptor);
  if (stats?.isCharacterDevice() !== true || stats.rdev === statSync("/dev/null").rdev) return false;
  return isatty(descriptor);
}

function writer(descriptor: number, later: WriteLater, isLate: () => boolean): Sink["write"] {
  let now: number | null | undefined;
  return async (text) => {
    const bytes = Buffer.from(text);
    try {
      if (now === undefined) now = unwaiting(descriptor);
      const done = now === null || isLate() ? 0 : writeNow(now, bytes); // late: behind what is still waiting there
      if (done < bytes.length) await later(bytes.subarray(done), now);
    } catch (error) {
      throw writeFailure(error);
    }
  };
}

/**
 * A descriptor for the same thing whose writes do not wait for a reader; `null`: there is none. A pipe is opened once more, because
 * whether it waits is a matter of all who share it.
 */
function unwaiting(descriptor: number): number | null {
  const stats = statOf(descriptor);
  if (stats === null) return null;
  if (stats.isFile() || (stats.isCharacterDevice() && !isTerminal(descriptor))) return descriptor;
  if (!stats.isFIFO()) return null;
  try {
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return null; // not Linux, or another user's pipe
  }
}

/** How many bytes are out. */
function writeNow(descriptor: number, bytes: Buffer): number {
  let done = 0;
  try {
    while (done < bytes.length) done += writeSync(descriptor, bytes, done);
  } catch (error) {
    if (codeOf(error) !== "EAGAIN") throw error;
  }
  return done;
}

function statOf(descriptor: number): Stats | null {
  try {
    return fstatSync(descriptor);
  } catch {
    return null; // closed
  }
}

/** Not in this thread: a reader who does not read on holds up what waits for the write, and nothing else. */
async function writePatiently(descriptor: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += await writeSome(descriptor, bytes, at);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      await pause(FULL_MS); // whoever shares it has made it so that it does not wait by itself
    }
  }
}

function writeSome(descriptor: number, bytes: Buffer, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, at, bytes.length - at, null, (error, written) =>
      error ? reject(error) : resolve(written),
    );
  });
}

function writeFailure(error: unknown): Error {
  if (codeOf(error) === "EPIPE") return new ReaderGone();
  return new BlackboardError("unavailable", `cannot write the output: ${reasonOf(error)}`);
}
