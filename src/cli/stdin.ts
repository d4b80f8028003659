/** Standard input and files as bytes: bounded, and never a guess where there is nothing to read. */
import { createReadStream, fstatSync, readFileSync, readlinkSync } from "node:fs";
import { codeOf, reasonOf, usageError } from "../core/errors.ts";
import type { Input } from "./command.ts";
import { isTerminal } from "./sink.ts";

/** No store takes a larger value, so an endless input is not read further. 512 MiB. */
const MAX_BYTES = 512 * 1024 * 1024;

export function processInput(): Input {
  return {
    get isTerminal() {
      return isTerminal(0);
    },
    async all() {
      checkReadable("there is no value", "give it as an argument or --file; an empty value is ''");
      return collectBytes("standard input", process.stdin);
    },
    async *chunks() {
      checkReadable("there are no lines", "for none: < /dev/null");
      yield* named("standard input", process.stdin);
    },
    file: (path) => collectBytes(path, createReadStream(path)),
  };
}

async function collectBytes(name: string, stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of named(name, stream)) {
    size = checkSize(name, size + chunk.length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The same stream, its errors in words of ours. */
async function* named(name: string, stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* stream;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    throw usageError(`cannot read ${name}: ${reasonOf(error)}`);
  }
}

/** @throws BlackboardError `usage` if it is more than any store takes */
export function checkSize(name: string, size: number): number {
  if (size <= MAX_BYTES) return size;
  throw usageError(`${name} is over ${MAX_BYTES} bytes, the limit of a value`);
}

/** What cannot be read must not pass for an empty value, as Node lets a directory and a closed stdin do. */
function checkReadable(so: string, hint: string): void {
  if (fstatSync(0).isDirectory()) throw usageError("standard input is a directory");
  if (!isStandIn(0)) return;
  throw usageError(`standard input is closed or nothing, so ${so}`, hint);
}

/** Node opens /dev/null for a closed stream of the process, for reading and writing, which no shell's `< /dev/null` or `> /dev/null` does (but other programs for their children). */
export function isStandIn(descriptor: 0 | 1): boolean {
  try {
    const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1"))?.[1] ?? "";
    return (
      readlinkSync(`/proc/self/fd/${descriptor}`) === "/dev/null" && (Number.parseInt(flags, 8) & 3) === 2
    );
  } catch {
    return false; // no /proc (not Linux): a closed stdin then reads as an empty value, and a closed stdout takes everything
  }
}
