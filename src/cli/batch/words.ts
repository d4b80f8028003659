/** The words of a line of a batch: those of a JSON array, or of a shell. Words may hold any bytes, in the sense of `core/names.ts`. */
import { isUtf8 } from "node:buffer";
import { usageError } from "../../core/errors.ts";
import { decodeName, isTextName } from "../../core/names.ts";
import { linesIn } from "../lines.ts";
import { shellWords } from "./shell-words.ts";

const MARK = Buffer.of(0xef, 0xbb, 0xbf);

/** The beginning of a text, without the byte order mark that editors put there. */
export function withoutMark(block: Buffer): Buffer {
  return block.subarray(0, MARK.length).equals(MARK) ? block.subarray(MARK.length) : block;
}

/** The lines of a block, without their line breaks. */
export function textLines(block: Buffer): string[] {
  if (!isUtf8(block)) return linesIn(block).map(decodeName);
  const lines = block.toString("utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/**
 * None, if there is nothing but perhaps a comment. A carriage return at the end is part of the line break.
 * @throws BlackboardError `usage`
 */
export function wordsOf(line: string): readonly string[] {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  return /^[ \t]*[[{]/.test(text) ? jsonWords(text) : shellWords(text);
}

/**
 * Nothing but strings as they stand, as in most lines; each quote is one's beginning or end. To take them apart is quicker than a parser, which
 * would look every short one up among all it knows. In longer lines a pattern of so many parts might need too much memory.
 */
const PLAIN = /^\["[^"\\\0-\x1f]*"(?:,"[^"\\\0-\x1f]*")*\]$/;
const LONGEST_PLAIN = 4096;

function jsonWords(line: string): readonly string[] {
  if (line.length <= LONGEST_PLAIN && PLAIN.test(line)) return line.slice(2, -2).split('","');
  const words: unknown = parse(line);
  if (!Array.isArray(words) || words.length === 0) throw notWords();
  const isText = words.every((word) => typeof word === "string");
  if (isText && (!line.includes("\\") || !/\\u[dD]/.test(line))) return words;
  return words.map(wordOf);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw usageError("the line is not JSON", WAY); // the engine's message quotes it
  }
}

/** A number is no word: what is written as one may be another when it was read (`1.0`, `12345678901234567890`). */
function wordOf(word: unknown): string {
  if (typeof word === "string") return textOf(word);
  if (typeof word !== "object" || word === null) throw notWords();
  const [[name, base64] = [], ...others] = Object.entries(word);
  if (name !== "base64" || typeof base64 !== "string" || others.length > 0) throw notWords();
  const bytes = Buffer.from(base64, "base64");
  if (bytes.toString("base64").replace(/=+$/, "") !== base64.replace(/=+$/, ""))
    throw usageError("what stands as base64 is not");
  return decodeName(bytes);
}

/** Python writes a byte that is not UTF-8 as `\udc80` to `\udcff`; no other half of a character is one. */
function textOf(word: string): string {
  if (isTextName(word) || !/(?![\udc80-\udcff])\p{Surrogate}/u.test(word)) return word;
  throw usageError("a word is not valid text (a lone surrogate)", WAY);
}

const WAY =
  'a line is a JSON array of strings, ["set","key","value"], or {"base64":"…"} for bytes; or words as in a shell';

function notWords(): Error {
  return usageError("the line is not an array of words", WAY);
}
