/**
 * Names of keys, channels and patterns.
 *
 * A name is bytes in the stores and a string here. Names that foreign clients wrote need not be UTF-8, so bytes
 * that are not become lone surrogates U+DC80…U+DCFF, one a byte, and turn back into those bytes on the way out:
 * the scheme of Python's PEP 383. Every name round-trips; a name with such a surrogate can be read and deleted,
 * never written.
 */
import { isUtf8 } from "node:buffer";
import { usageError } from "./errors.ts";

/** The longest name that may be written, in bytes, prefix not counted. */
export const MAX_NAME_BYTES = 1024;
/** A UTF-16 code unit, of which JavaScript's strings are, takes at most so many in UTF-8. */
const MOST_BYTES_EACH = 3;
/** The longest pattern, in bytes, prefix not counted. */
export const MAX_PATTERN_BYTES = 4096;
/** Root of everything that is timmy-bb's own in a shared store; never a user's key. */
export const OWN_ROOT = "timmy-bb:";

/** What a decoder puts in the place of bytes that are not UTF-8. To look for it is cheaper than to look at the bytes twice. */
const REPLACEMENT = "\ufffd";

/** The bytes of a name. */
export function encodeName(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name, "utf8");
  const parts: Buffer[] = [];
  for (const character of name) {
    const code = character.charCodeAt(0);
    const isLoneByte = character.length === 1 && code >= 0xdc80 && code <= 0xdcff;
    parts.push(isLoneByte ? Buffer.of(code - 0xdc00) : Buffer.from(character, "utf8"));
  }
  return Buffer.concat(parts);
}

/** The name for some bytes; `encodeName` gives the very same bytes back. */
export function decodeName(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  if (!text.includes(REPLACEMENT) || isUtf8(buffer)) return text;
  let name = "";
  let start = 0;
  while (start < buffer.length) {
    const length = validSequenceLength(buffer, start);
    if (length === 0) name += String.fromCharCode(0xdc00 + (buffer[start] ?? 0));
    else name += buffer.toString("utf8", start, start + length);
    start += Math.max(length, 1);
  }
  return name;
}

/** Whether every byte of a name is part of valid UTF-8. */
export function isTextName(name: string): boolean {
  return name.isWellFormed();
}

/**
 * Accepts a name that is about to be written: 1–1024 bytes of UTF-8 without control characters.
 * @param what the word for the message: `key`, `channel`, …
 * @throws BlackboardError `usage`
 */
export function checkNewName(what: string, name: string): void {
  checkKnownName(what, name);
  if (!isTextName(name)) throw usageError(`the ${what} is not valid UTF-8`);
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) {
    throw usageError(`the ${what} contains a control character`, "use printable characters only");
  }
  if (name.length <= MAX_NAME_BYTES / MOST_BYTES_EACH) return;
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_NAME_BYTES) {
    throw usageError(`the ${what} is ${bytes} bytes long; the limit is ${MAX_NAME_BYTES}`);
  }
}

/**
 * Accepts a name that is only looked up or deleted: anything a foreign client can have written, except nothing at
 * all, which is nearly always an unset variable.
 * @throws BlackboardError `usage`
 */
export function checkKnownName(what: string, name: string): void {
  if (typeof name !== "string") throw usageError(`the ${what} must be a string`);
  if (name === "") throw usageError(`the ${what} is empty`, "is a variable unset?");
}

/** @throws BlackboardError `usage` for a pattern that is empty or over 4 KiB */
export function checkPattern(pattern: string): void {
  checkKnownName("pattern", pattern);
  const bytes = encodeName(pattern).length;
  if (bytes > MAX_PATTERN_BYTES) {
    throw usageError(`the pattern is ${bytes} bytes long; the limit is ${MAX_PATTERN_BYTES}`);
  }
}

/** Byte order: the order of UTF-8, of `LC_ALL=C sort`, and of both stores. JavaScript's own order is of UTF-16. */
export function compareNames(left: string, right: string): number {
  return left === right ? 0 : Buffer.compare(encodeName(left), encodeName(right));
}

/** Length of the well-formed UTF-8 sequence at `start`, 0 if there is none. */
function validSequenceLength(buffer: Buffer, start: number): number {
  for (let length = 1; length <= 4 && start + length <= buffer.length; length++) {
    if (isUtf8(buffer.subarray(start, start + length))) return length;
  }
  return 0;
}
