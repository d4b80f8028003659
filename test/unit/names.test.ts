/** Names: bytes in the stores, strings here, and the way between. */
import { expect, test } from "vitest";
import {
  checkKnownName,
  checkNewName,
  checkPattern,
  compareNames,
  decodeName,
  encodeName,
  isTextName,
  MAX_NAME_BYTES,
  MAX_PATTERN_BYTES,
} from "../../src/core/names.ts";

test.each([
  ["plain", [0x61, 0x62]],
  ["nothing", []],
  ["two-byte text", [0xc3, 0xa9]],
  ["four-byte text", [0xf0, 0x9f, 0x98, 0x80]],
  ["a byte order mark", [0xef, 0xbb, 0xbf, 0x61]],
  ["NUL", [0x00]],
  ["a lone byte", [0xff]],
  ["a lone continuation", [0x80]],
  ["cut text", [0x61, 0xf0, 0x9f, 0x98]],
  ["cut text and more", [0xf0, 0x9f, 0x98, 0x61, 0xc3]],
  ["overlong text", [0xc0, 0x80]],
  ["a surrogate as bytes", [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ["one of our surrogates as bytes", [0xed, 0xb2, 0x80]],
  ["beyond Unicode", [0xf4, 0x90, 0x80, 0x80]],
  ["text, then a lone byte, then text", [0xc3, 0xa9, 0xff, 0xc3, 0xa9]],
])("%s round-trips", (_, bytes) => {
  const name = decodeName(Uint8Array.from(bytes));
  expect([...encodeName(name)]).toEqual(bytes);
});

test("any bytes round-trip", () => {
  for (let seed = 1; seed < 3000; seed++) {
    const bytes = Uint8Array.from({ length: seed % 9 }, (_, at) => (seed * 2_654_435_761 * (at + 3)) >>> 11);
    expect([...encodeName(decodeName(bytes))]).toEqual([...bytes]);
  }
});

test("a view into a larger buffer is read by its own bounds", () => {
  expect(decodeName(Buffer.from("abcdef").subarray(2, 4))).toBe("cd");
});

test("valid text is itself, whatever it holds", () => {
  for (const text of ["", "a:b", "é", "😀", "\u0000", "\ufeffa", "日本"]) {
    expect(decodeName(Buffer.from(text))).toBe(text);
    expect(encodeName(text).equals(Buffer.from(text))).toBe(true);
  }
});

test("only names without lone surrogates are text", () => {
  expect(isTextName("😀é")).toBe(true);
  expect(isTextName(decodeName(Uint8Array.of(0xff)))).toBe(false);
  expect(isTextName("\ud83d")).toBe(false);
});

test.each(["a", "a b", "ключ", "😀", "x".repeat(MAX_NAME_BYTES), "é".repeat(512), "*?[", "\u00a0"])(
  "%j may be written",
  (name) => {
    expect(() => checkNewName("key", name)).not.toThrow();
  },
);

test.each([
  ["", "the key is empty"],
  ["a\nb", "the key contains a control character"],
  ["a\u0000", "the key contains a control character"],
  ["\u007f", "the key contains a control character"],
  ["\u0085", "the key contains a control character"],
  ["\ud800", "the key is not valid UTF-8"],
  ["\udcff", "the key is not valid UTF-8"],
  ["x".repeat(1025), "the key is 1025 bytes long; the limit is 1024"],
  ["é".repeat(513), "the key is 1026 bytes long; the limit is 1024"],
])("%j may not be written", (name, message) => {
  expect(() => checkNewName("key", name)).toThrow(message);
});

test("what foreign clients wrote can be looked up", () => {
  for (const name of ["a\nb", "\udcff", "x".repeat(5000)])
    expect(() => checkKnownName("key", name)).not.toThrow();
  expect(() => checkKnownName("key", "")).toThrow("the key is empty");
  expect(() => checkKnownName("key", 5 as unknown as string)).toThrow("the key must be a string");
});

test("patterns have bytes to spare, and a limit", () => {
  expect(() => checkPattern("x".repeat(MAX_PATTERN_BYTES))).not.toThrow();
  expect(() => checkPattern("x".repeat(MAX_PATTERN_BYTES + 1))).toThrow("the pattern is 4097 bytes long");
  expect(() => checkPattern("")).toThrow("the pattern is empty");
});

test("names are ordered by their bytes", () => {
  const names = ["😀", "\uffff", "é", "b", "a", "", "\udcff", "B"];
  expect(names.sort(compareNames)).toEqual(["", "B", "a", "b", "é", "\uffff", "😀", "\udcff"]);
  expect(compareNames("a", "a")).toBe(0);
});
