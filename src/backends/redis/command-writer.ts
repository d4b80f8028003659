/** Commands as a server reads them (RESP2), gathered until they are sent. */
import { encodeName } from "../../core/names.ts";
import type { Argument } from "./connection.ts";

/** What is gathered in at first, and at least; in bytes. */
const ROOM = 16_384;
/** More than that is not moved to a larger room; what comes behind it goes out by itself. */
const MUCH = 1 << 20;
/** As long as that an argument's bytes are not copied: they go out by themselves. */
const LARGE = 32_768;
/** Up to so many characters it is quicker to copy them one by one than to ask for a conversion. */
const SHORT = 64;
/** The longest `$<length>\r\n`. */
const LONGEST_HEAD = 20;

const CR = 13;
const LF = 10;
const ASTERISK = 42;
const DOLLAR = 36;

export class CommandWriter {
  #room = Buffer.allocUnsafeSlow(ROOM);
  /** What lies between is gathered, and not among the pieces yet. */
  #start = 0;
  #end = 0;
  #pieces: Uint8Array[] = [];

  add(command: string, args: readonly Argument[]): void {
    this.#head(ASTERISK, args.length + 1);
    this.#text(command);
    for (const arg of args) {
      if (typeof arg === "string") this.#text(arg);
      else if (typeof arg === "number") this.#text(String(arg));
      else this.#bytes(arg);
    }
  }

  /** All that was added since the last time, in order: one piece, unless something in it is large, or it is much. */
  take(): readonly Uint8Array[] {
    this.#cut();
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  /** `*3\r\n`, `$5\r\n` */
  #head(type: number, count: number): void {
    this.#makeRoom(LONGEST_HEAD);
    this.#room[this.#end++] = type;
    const digits = String(count);
    for (let at = 0; at < digits.length; at++) this.#room[this.#end++] = digits.charCodeAt(at);
    this.#endLine();
  }

  #text(text: string): void {
    if (text.length > SHORT || !this.#shortAscii(text)) this.#bytes(encodeName(text));
  }

  /** False, and nothing was added, if it is not ASCII. */
  #shortAscii(text: string): boolean {
    const { length } = text;
    this.#makeRoom(LONGEST_HEAD + length);
    const before = this.#end;
    this.#head(DOLLAR, length);
    const room = this.#room;
    let end = this.#end;
    for (let at = 0; at < length; at++) {
      const code = text.charCodeAt(at);
      if (code > 127) {
        this.#end = before;
        return false;
      }
      room[end++] = code;
    }
    this.#end = end;
    this.#endLine();
    return true;
  }

  #bytes(bytes: Uint8Array): void {
    this.#head(DOLLAR, bytes.length);
    if (bytes.length < LARGE) {
      this.#makeRoom(bytes.length + 2);
      this.#room.set(bytes, this.#end);
      this.#end += bytes.length;
    } else {
      this.#cut();
      this.#pieces.push(bytes);
      this.#makeRoom(2);
    }
    this.#endLine();
  }

  #endLine(): void {
    this.#room[this.#end++] = CR;
    this.#room[this.#end++] = LF;
  }

  #cut(): void {
    if (this.#end > this.#start) this.#pieces.push(this.#room.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  /** What was taken belongs to the socket, so its room is never used again; what is gathered moves along. */
  #makeRoom(bytes: number): void {
    if (this.#end + bytes <= this.#room.length) return;
    if (this.#end - this.#start > MUCH) this.#cut();
    const gathered = this.#room.subarray(this.#start, this.#end);
    const room = Buffer.allocUnsafeSlow(Math.max(ROOM, 2 * (gathered.length + bytes)));
    room.set(gathered);
    this.#room = room;
    this.#start = 0;
    this.#end = gathered.length;
  }
}
