/**
 * How a shell function talks to one long-lived process: fields that end with NUL, for they can hold whatever a word can. docs/scripting.md
 * has the whole of it.
 */
import { usageError } from "../../core/errors.ts";
import { decodeName } from "../../core/names.ts";
import { checkSize } from "../stdin.ts";

/** A call, and where its output goes. */
export interface Request {
  /** Those of the caller's descriptors 0, 1 and 2 that are terminals. */
  readonly terminals: string;
  /** The terminal's width. */
  readonly columns: number;
  readonly words: readonly string[];
}

/** What the call said, to the byte. */
export interface Answer {
  readonly exit: number;
  readonly out: Uint8Array;
  readonly err: Uint8Array;
}

const NUL = 0;
const DEFAULT_COLUMNS = 80;

/** @throws BlackboardError `usage` for what is no request */
export async function* requestsIn(chunks: AsyncIterable<Buffer>): AsyncGenerator<Request, void, undefined> {
  const fields = fieldsIn(chunks);
  for await (const form of fields) {
    const count = wordCount((await fields.next()).value ?? "");
    const words: string[] = [];
    while (words.length < count) {
      const step = await fields.next();
      if (step.done) return; // whoever asked is gone
      words.push(step.value);
    }
    yield { ...formOf(form), words };
  }
}

async function* fieldsIn(chunks: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  let begun: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NUL); end >= 0; end = chunk.indexOf(NUL, start)) {
      yield decodeName(Buffer.concat([...begun, chunk.subarray(start, end)]));
      begun = [];
      size = 0;
      start = end + 1;
    }
    size = checkSize("a field of a request", size + chunk.length - start);
    if (start < chunk.length) begun.push(chunk.subarray(start));
  }
}

function formOf(field: string): Pick<Request, "terminals" | "columns"> {
  const [, terminals, columns] = /^([012]*)(?::(\d{1,5}))?$/.exec(field) ?? [];
  if (terminals === undefined) throw notARequest();
  return { terminals, columns: Number(columns ?? 0) || DEFAULT_COLUMNS };
}

function wordCount(field: string): number {
  if (/^\d{1,7}$/.test(field)) return Number(field);
  throw notARequest();
}

function notARequest(): Error {
  return usageError("--frames: what came is no request", "it is what timmy-bb shell-init makes a shell say");
}

/** `null`: nothing was done, and the program itself is to be run for this call. */
export function frameOf(answer: Answer | null): Buffer {
  if (answer === null) return Buffer.from("!\0");
  const { exit, out, err } = answer;
  const head = `${exit}${out.length > 0 ? "o" : ""}${err.length > 0 ? "e" : ""}\0`;
  const fields = [out, err].filter((field) => field.length > 0).flatMap((field) => [field, Buffer.of(NUL)]);
  return Buffer.concat([Buffer.from(head), ...fields]);
}
