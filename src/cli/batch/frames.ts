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

/** Puts requests together from what comes, piece by piece. Without promises of its own: this is done at each call of a shell. */
export class RequestReader {
  #begun: Buffer[] = [];
  #size = 0;
  /** Of the request that has begun: its form, and how many words it has; `null` until they have come. */
  #form: Pick<Request, "terminals" | "columns"> | null = null;
  #count: number | null = null;
  #words: string[] = [];

  /**
   * The requests whose last byte is in this piece, one by one: what is wrong behind one does not keep that from being answered.
   * @throws BlackboardError `usage` for what is no request
   */
  *read(piece: Buffer): Generator<Request, void, undefined> {
    let start = 0;
    for (let end = piece.indexOf(NUL); end >= 0; end = piece.indexOf(NUL, start)) {
      const request = this.#add(decodeName(this.#fieldWith(piece.subarray(start, end))));
      start = end + 1;
      if (request !== null) yield request;
    }
    this.#size = checkSize("a field of a request", this.#size + piece.length - start);
    if (start < piece.length) this.#begun.push(piece.subarray(start));
  }

  #fieldWith(last: Buffer): Buffer {
    const field = this.#begun.length === 0 ? last : Buffer.concat([...this.#begun, last]);
    this.#begun = [];
    this.#size = 0;
    return field;
  }

  /** @returns the request, if this was its last field */
  #add(field: string): Request | null {
    if (this.#form === null) {
      this.#form = formOf(field);
      return null;
    }
    if (this.#count === null) this.#count = wordCount(field);
    else this.#words.push(field);
    if (this.#words.length < this.#count) return null;
    const request = { ...this.#form, words: this.#words };
    this.#form = null;
    this.#count = null;
    this.#words = [];
    return request;
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
