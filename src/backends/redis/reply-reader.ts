/**
 * Replies out of a stream of bytes that is cut anywhere (RESP2). Our own: redis-parser takes as long to load as the rest of
 * a connection, keeps the process alive for seconds after a large value, takes twice its memory, and throws over a bad length.
 */
import { constants } from "node:buffer";
import { ServerReplyError } from "./errors.ts";
import type { Reply } from "./replies.ts";

/** What came is not the protocol. Internal: it never leaves this folder. */
export class ProtocolError extends Error {}

/** The longest line: an error, or a status; in bytes. Far longer than any server's, and no sign of an end. */
const LONGEST_LINE = 1 << 20;
/** The digits of a number are at most 19. */
const LONGEST_NUMBER = 32;

/** Lists in lists: far more than any answer to us has, and no burden to whoever takes them apart. */
const DEEPEST = 32;

const CR = 13;
const LF = 10;
const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const ASTERISK = 42;
const ZERO = 48;

/** A list of which not all has come. An error inside of it, as of a failed command in `EXEC`, is the answer as a whole. */
interface OpenList {
  readonly items: Reply[];
  readonly length: number;
  /** How many have come, errors too. */
  count: number;
  error: ServerReplyError | null;
}

export class ReplyReader {
  readonly #onReply: (reply: Reply | ServerReplyError) => void;
  /** The lists that what comes next is in, the outermost first. */
  readonly #lists: OpenList[] = [];
  /** A string of which not all has come, with its line end, and how much of it has. */
  #part: Buffer | null = null;
  #filled = 0;
  /** The beginning of a line. */
  #rest: Buffer | null = null;
  /** What is being read, and where. */
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(onReply: (reply: Reply | ServerReplyError) => void) {
    this.#onReply = onReply;
  }

  /** Hands over each reply that is complete. What comes after an error must not be given any more. @throws ProtocolError */
  read(bytes: Buffer): void {
    this.#bytes = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#rest = null;
    this.#at = 0;
    if (this.#part !== null) this.#fill(this.#part);
    while (this.#at < this.#bytes.length) {
      const start = this.#at;
      if (this.#item()) continue;
      this.#rest = this.#bytes.subarray(start);
      return;
    }
  }

  /** Reads one thing that begins here. False, wherever it has got to, if its line has not come to an end. */
  #item(): boolean {
    const type = this.#bytes[this.#at++];
    if (type === PLUS || type === MINUS) return this.#line(type);
    if (type !== DOLLAR && type !== COLON && type !== ASTERISK) throw new ProtocolError("no reply begins so");
    const number = this.#number();
    if (number === undefined) return false;
    if (type === COLON) this.#add(number);
    else if (number < 0) this.#add(null);
    else if (type === DOLLAR) this.#string(number);
    else this.#list(number);
    return true;
  }

  #line(type: number): boolean {
    const start = this.#at;
    const end = this.#bytes.indexOf(CR, start);
    if ((end < 0 ? this.#bytes.length : end) - start > LONGEST_LINE)
      throw new ProtocolError("an endless line");
    if (end < 0 || end + 1 === this.#bytes.length) return false;
    this.#expectLineEnd(end);
    const text = this.#bytes.subarray(start, end);
    if (type === PLUS) this.#add(text);
    else this.#add(new ServerReplyError(text.toString("utf8")));
    return true;
  }

  /** With the end of its line; `undefined` if that has not come yet. Numbers beyond 2^53 are not exact: scripts give them as text. */
  #number(): number | undefined {
    const bytes = this.#bytes;
    const isNegative = bytes[this.#at] === MINUS;
    const start = isNegative ? this.#at + 1 : this.#at;
    let number = 0;
    for (let at = start; at + 1 < bytes.length; at++) {
      const digit = (bytes[at] ?? 0) - ZERO;
      if (digit >= 0 && digit <= 9) {
        number = number * 10 + digit;
        continue;
      }
      if (at === start) throw new ProtocolError("no number");
      this.#expectLineEnd(at);
      return isNegative ? -number : number;
    }
    if (bytes.length - start > LONGEST_NUMBER) throw new ProtocolError("an endless number");
    return undefined;
  }

  #string(length: number): void {
    const start = this.#at;
    const end = start + length;
    if (end + 2 > this.#bytes.length) {
      this.#beginString(length);
      return;
    }
    this.#expectLineEnd(end);
    this.#add(this.#bytes.subarray(start, end));
  }

  #beginString(length: number): void {
    if (length > constants.MAX_LENGTH - 2) throw new ProtocolError("no string is that long");
    this.#part = Buffer.allocUnsafeSlow(length + 2); // the system gives the memory as it is filled
    this.#filled = 0;
    this.#fill(this.#part);
  }

  #fill(part: Buffer): void {
    const count = this.#bytes.copy(part, this.#filled, this.#at);
    this.#filled += count;
    this.#at += count;
    if (this.#filled < part.length) return;
    this.#part = null;
    const end = part.length - 2;
    if (part[end] !== CR || part[end + 1] !== LF) throw new ProtocolError("a string does not end");
    this.#add(part.subarray(0, end));
  }

  #list(length: number): void {
    if (this.#lists.length === DEEPEST) throw new ProtocolError("no reply is that deep");
    if (length === 0) this.#add([]);
    else this.#lists.push({ items: [], length, count: 0, error: null });
  }

  /** A reply, or a part of one; with the last part of a list the list itself, and so on. */
  #add(part: Reply | ServerReplyError): void {
    let added = part;
    for (let list = this.#lists.at(-1); list !== undefined; list = this.#lists.at(-1)) {
      if (added instanceof ServerReplyError) list.error ??= added;
      else list.items.push(added);
      if (++list.count < list.length) return;
      this.#lists.pop();
      added = list.error ?? list.items;
    }
    this.#onReply(added);
  }

  #expectLineEnd(at: number): void {
    if (this.#bytes[at] !== CR || this.#bytes[at + 1] !== LF) throw new ProtocolError("a line does not end");
    this.#at = at + 2;
  }
}
