/** The words of a line of JSON: most are taken apart without a parser, and must be what a parser makes of them. */
import { expect, test } from "vitest";
import { wordsOf } from "../../src/cli/batch/words.ts";

const WORDS = [
  "",
  ",",
  ",,",
  "a",
  "é",
  "日本",
  "\u2028",
  "\x7f",
  "[",
  "]",
  " ",
  "#",
  "'",
  '"',
  "\\",
  '","',
  "\t",
  "\n",
];

test("every three of the odd words come back as they were", () => {
  for (const one of WORDS)
    for (const two of WORDS)
      for (const three of WORDS)
        expect(wordsOf(JSON.stringify([one, two, three]))).toEqual([one, two, three]);
});

test("lines longer than are taken apart so, and as many words as there may be", () => {
  const words = Array.from({ length: 200_000 }, (_, n) => String(n % 10));
  expect(wordsOf(JSON.stringify(words))).toEqual(words);
  expect(wordsOf(JSON.stringify(["x".repeat(4089)]))).toEqual(["x".repeat(4089)]);
});

test.each([
  '["a" "b"]',
  '["a",]',
  '["a""b"]',
  '["a"],["b"]',
  '["a","b]',
  '["a\tb"]',
  '["a\0b"]',
  '["\\x"]',
  '["a"]]',
  "[]",
  '["a",1]',
])("no words: %j", (line) => {
  expect(() => wordsOf(line)).toThrow(/^the line is not (JSON|an array of words)$/);
});
