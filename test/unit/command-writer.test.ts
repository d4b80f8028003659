/** Commands as bytes: against a plain way of writing them; and in how many pieces. */
import { expect, test } from "vitest";
import { CommandWriter } from "../../src/backends/redis/command-writer.ts";
import type { Argument } from "../../src/backends/redis/connection.ts";
import { encodeName } from "../../src/core/names.ts";

function plainly(command: string, args: readonly Argument[]): Buffer {
  const words = [command, ...args].map((word) =>
    typeof word === "object" ? Buffer.from(word) : encodeName(String(word)),
  );
  const parts = words.flatMap((word) => [Buffer.from(`$${word.length}\r\n`), word, Buffer.from("\r\n")]);
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}

const ARGUMENTS: readonly Argument[] = [
  "",
  "plain",
  "umlaut ä, 日本, 🙂",
  "x".repeat(64),
  "x".repeat(65),
  `${"x".repeat(63)}ä`,
  "y".repeat(100_000),
  "lone \udcff byte",
  "line\r\nbreaks\0",
  0,
  -1,
  604_800_000,
  1.5,
  Buffer.alloc(0),
  Buffer.from([0, 13, 10, 255]),
  new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
  Buffer.alloc(40_000, 7),
];

test("each kind of argument, alone and in any company", () => {
  const writer = new CommandWriter();
  const commands = ARGUMENTS.flatMap((one) => ARGUMENTS.map((other) => [one, "k", other] as const));
  const expected: Buffer[] = [];
  const written: Uint8Array[] = [];
  for (const [at, args] of commands.entries()) {
    writer.add("set", args);
    expected.push(plainly("set", args));
    if (at % 7 === 0) written.push(...writer.take());
  }
  written.push(...writer.take());
  expect(Buffer.concat(written).equals(Buffer.concat(expected))).toBe(true);
});

test("many are one piece, and nothing is one of none", () => {
  const writer = new CommandWriter();
  for (let at = 0; at < 10_000; at++) writer.add("get", [`timmy:key:${at}`]);
  expect(writer.take()).toHaveLength(1);
  expect(writer.take()).toEqual([]);
});

test("a large value goes out by itself, not copied, between what comes before and behind it", () => {
  const writer = new CommandWriter();
  const value = Buffer.alloc(1 << 20);
  writer.add("get", ["k"]);
  writer.add("set", ["k", value, "px", 5]);
  writer.add("get", ["k"]);
  const pieces = writer.take();
  expect(pieces).toHaveLength(3);
  expect(pieces[1]).toBe(value);
});

test("very many are a few pieces, none of them much larger than the others", () => {
  const writer = new CommandWriter();
  const script = "x".repeat(10_000);
  for (let at = 0; at < 1000; at++) writer.add("eval", [script, 0]);
  const lengths = writer.take().map((piece) => piece.length);
  expect(lengths.length).toBeLessThan(10);
  expect(Math.max(...lengths)).toBeLessThan(3 << 20);
});

test("what was taken never changes again", () => {
  const writer = new CommandWriter();
  const taken: Array<readonly [Uint8Array, Buffer]> = [];
  for (let at = 0; at < 5000; at++) {
    writer.add("get", [`key:${at}`]);
    for (const piece of writer.take()) taken.push([piece, Buffer.from(piece)]);
  }
  expect(taken.filter(([piece, copy]) => !copy.equals(piece))).toEqual([]);
});
