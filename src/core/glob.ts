/**
 * Redis globs, over bytes. The meaning is that of `stringmatchlen` in Redis's `util.c`; the oracle of the tests is
 * a real server's `KEYS`. `?` is one byte, `[^a]` negates (`[!a]` does not), `\` escapes, an unclosed `[a` still
 * matches, `[c-a]` is a range.
 *
 * Matching is bounded. Redis backtracks into every `*` in turn, which is exponential; here only the last `*` is ever
 * retried, which decides the same language (an earlier star could only have taken fewer bytes) in at most
 * pattern × name steps. A pattern is compiled once and then matched without allocation.
 */
import { encodeName } from "./names.ts";

const STAR = "*".charCodeAt(0);
const QUESTION = "?".charCodeAt(0);
const OPEN = "[".charCodeAt(0);
const CLOSE = "]".charCodeAt(0);
const CARET = "^".charCodeAt(0);
const DASH = "-".charCodeAt(0);
const BACKSLASH = "\\".charCodeAt(0);

/** One element of a pattern: any run of bytes (`null`), or the set of bytes that may stand in one place. */
type Element = Uint8Array | null;

/** Tells whether the bytes of a name match. */
export type Matcher = (name: Uint8Array) => boolean;

/** Compiles a pattern. */
export function compileGlob(pattern: string): Matcher {
  const elements = parse(encodeName(pattern));
  return (name) => matches(elements, name);
}

/** Tells whether a pattern has any character with a meaning of its own. */
export function isPattern(text: string): boolean {
  return /[*?[\\]/.test(text);
}

/** A pattern that matches exactly this text. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\\]/g, "\\$&");
}

/** The bytes every matching name begins with; used to narrow a search by index. */
export function literalPrefix(pattern: string): Buffer {
  const bytes = encodeName(pattern);
  const literal: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === STAR || byte === QUESTION || byte === OPEN) break;
    if (byte === BACKSLASH && at + 1 < bytes.length) at++;
    literal.push(bytes[at] ?? 0);
  }
  return Buffer.from(literal);
}

function matches(elements: readonly Element[], name: Uint8Array): boolean {
  let element = 0;
  let at = 0;
  let starElement = -1;
  let starAt = 0;
  while (at < name.length) {
    const wanted = elements[element];
    if (wanted === null) {
      starElement = element++;
      starAt = at;
    } else if (wanted !== undefined && wanted[name[at] ?? 0] === 1) {
      element++;
      at++;
    } else if (starElement >= 0) {
      element = starElement + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  while (elements[element] === null) element++;
  return element === elements.length;
}

function parse(pattern: Buffer): Element[] {
  const elements: Element[] = [];
  let at = 0;
  while (at < pattern.length) {
    const byte = pattern[at] ?? 0;
    if (byte === STAR) {
      if (elements.at(-1) !== null || elements.length === 0) elements.push(null);
      at++;
    } else if (byte === OPEN) {
      const set = new Uint8Array(256);
      at = parseClass(pattern, at + 1, set);
      elements.push(set);
    } else {
      const escaped = byte === BACKSLASH && at + 1 < pattern.length;
      if (escaped) at++;
      elements.push(byte === QUESTION ? new Uint8Array(256).fill(1) : only(pattern[at] ?? 0));
      at++;
    }
  }
  return elements;
}

/** Reads a class from behind its `[`, fills `set`, and returns where the pattern goes on. */
function parseClass(pattern: Buffer, start: number, set: Uint8Array): number {
  let at = start;
  const negated = pattern[at] === CARET;
  if (negated) at++;
  for (; at < pattern.length && pattern[at] !== CLOSE; at++) {
    const byte = pattern[at] ?? 0;
    if (byte === BACKSLASH && at + 1 < pattern.length) {
      at++;
      set[pattern[at] ?? 0] = 1;
    } else if (pattern[at + 1] === DASH && at + 2 < pattern.length) {
      addRange(set, byte, pattern[at + 2] ?? 0);
      at += 2;
    } else {
      set[byte] = 1;
    }
  }
  if (negated) for (let byte = 0; byte < 256; byte++) set[byte] = set[byte] === 1 ? 0 : 1;
  return at + 1;
}

/** A range given backwards is the same range. Bytes from 0x80 come before 0x00: Redis compares C's signed chars. */
function addRange(set: Uint8Array, from: number, to: number): void {
  const [low, high] = [signed(from), signed(to)].sort((left, right) => left - right) as [number, number];
  for (let char = low; char <= high; char++) set[char & 0xff] = 1;
}

function signed(byte: number): number {
  return byte < 0x80 ? byte : byte - 0x100;
}

function only(byte: number): Uint8Array {
  const set = new Uint8Array(256);
  set[byte] = 1;
  return set;
}
