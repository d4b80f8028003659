/** The input of a batch, which can be given up while nothing comes, and what the calls in it may read instead. */
import { fstatSync, type Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { usageError } from "../../core/errors.ts";
import type { Input } from "../command.ts";

/** What comes until the signal is aborted. */
export async function* untilAborted(
  chunks: AsyncIterable<Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]();
  let giveUp = () => {};
  signal.addEventListener("abort", () => giveUp(), { once: true });
  while (!signal.aborted) {
    const step = await new Promise<IteratorResult<Buffer, unknown> | null>((resolve, reject) => {
      giveUp = () => resolve(null);
      iterator.next().then(resolve, reject);
    });
    if (step === null || step.done) return;
    yield step.value;
  }
}

/** The batch's own standard input is none for the calls in it. */
export function noInput(files: Input): Input {
  const file = async (path: string) => {
    if (await isOwnInput(path)) refuse();
    return files.file(path);
  };
  return { isTerminal: false, all: async () => refuse(), chunks: refuse, file };
}

function refuse(): never {
  throw usageError(
    "standard input is the batch's own, so there is nothing to read there",
    'give the value as a word, {"base64":"…"} for bytes, or --file',
  );
}

/** Whether who reads this file takes away what the batch is to read: `/dev/stdin` and its like. A regular file is read from its beginning. */
async function isOwnInput(path: string): Promise<boolean> {
  const own = fstatSync(0);
  if (own.isFile()) return false;
  const there = await stat(path).catch(() => null); // reading it says why
  return there !== null && isSame(there, own);
}

function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}
