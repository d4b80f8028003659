/** Replies cut anywhere: against another parser of the same protocol, and what is no reply at all. */
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { ServerReplyError } from "../../src/backends/redis/errors.ts";
import { ProtocolError, ReplyReader } from "../../src/backends/redis/reply-reader.ts";

interface Oracle {
  execute(bytes: Buffer): void;
}
type OracleOptions = Record<"returnReply" | "returnError", (reply: unknown) => void> & {
  readonly returnBuffers: boolean;
};
const RedisParser: new (options: OracleOptions) => Oracle = createRequire(import.meta.url)("redis-parser");

/** Errors as their text, so that both parsers' can be compared. */
function plain(reply: unknown): unknown {
  if (reply instanceof ServerReplyError) return { error: reply.text };
  return reply instanceof Error ? { error: reply.message } : reply;
}

function readInPieces(pieces: readonly Buffer[]): unknown[] {
  const replies: unknown[] = [];
  const reader = new ReplyReader((reply) => replies.push(plain(reply)));
  for (const piece of pieces) reader.read(Buffer.from(piece)); // a chunk of its own, as a socket gives it
  return replies;
}

function readByOracle(bytes: Buffer): unknown[] {
  const replies: unknown[] = [];
  const take = (reply: unknown) => replies.push(plain(reply));
  new RedisParser({ returnBuffers: true, returnReply: take, returnError: take }).execute(bytes);
  return replies;
}

/** Numbers below `most`, the same ones for the same seed. */
function random(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
}

const bulk = (text: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`$${Buffer.byteLength(text)}\r\n`), Buffer.from(text), Buffer.from("\r\n")]);

const SIMPLE = [
  "+OK\r\n",
  "+\r\n",
  ":0\r\n",
  ":-12\r\n",
  ":9007199254740991\r\n",
  "$-1\r\n",
  "*-1\r\n",
  "*0\r\n",
];

function anyReply(pick: (most: number) => number, depth: number, inside: boolean): Buffer {
  const kind = pick(depth > 0 ? 5 : 4);
  if (kind === 0) return Buffer.from(SIMPLE[pick(SIMPLE.length)] ?? "");
  if (kind === 1) return bulk(Buffer.from(Array.from({ length: pick(40) }, () => pick(256))));
  if (kind === 2) return bulk("\r\n$3\r\n*1\r\n-ERR ".slice(0, pick(18)));
  if (kind === 3) return Buffer.from(inside ? ":7\r\n" : "-ERR something 'ä'\r\n");
  const items = Array.from({ length: pick(5) }, () => anyReply(pick, depth - 1, true));
  return Buffer.concat([Buffer.from(`*${items.length}\r\n`), ...items]);
}

describe("read alike by another parser, in pieces", () => {
  test("cut once, at each place", () => {
    const pick = random(1);
    const bytes = Buffer.concat(Array.from({ length: 30 }, () => anyReply(pick, 3, false)));
    const expected = readByOracle(bytes);
    expect(expected).toHaveLength(30);
    for (let at = 0; at <= bytes.length; at++) {
      expect(readInPieces([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(expected);
    }
  });

  test.each([1, 2, 3, 7])("of %i bytes", (size) => {
    const pick = random(size);
    const bytes = Buffer.concat(Array.from({ length: 300 }, () => anyReply(pick, 4, false)));
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );
    expect(readInPieces(pieces)).toEqual(readByOracle(bytes));
  });

  test("of any length, many times", () => {
    const pick = random(99);
    for (let round = 0; round < 500; round++) {
      const bytes = Buffer.concat(Array.from({ length: 1 + pick(6) }, () => anyReply(pick, 3, false)));
      const cuts = Array.from({ length: pick(8) }, () => pick(bytes.length + 1)).sort((a, b) => a - b);
      const pieces = [0, ...cuts].map((from, at) => bytes.subarray(from, cuts[at] ?? bytes.length));
      expect(readInPieces(pieces)).toEqual(readByOracle(bytes));
    }
  });
});

test("a long string in many pieces is one that shares no memory with them", () => {
  const value = Buffer.alloc(3_000_000, "0123456789");
  const pieces: Buffer[] = [];
  const all = Buffer.concat([
    Buffer.from(`*2\r\n:1\r\n$${value.length}\r\n`),
    value,
    Buffer.from("\r\n+OK\r\n"),
  ]);
  for (let at = 0; at < all.length; at += 65_536) pieces.push(all.subarray(at, at + 65_536));
  const [list, end] = readInPieces(pieces) as [[number, Buffer], Buffer];
  expect(list[1].equals(value)).toBe(true);
  expect(list[1].buffer.byteLength).toBeLessThan(value.length + 16);
  expect(end.toString()).toBe("OK");
});

test("an error in a list is the answer as a whole, and the next one is itself again", () => {
  const bytes = Buffer.from("*3\r\n:1\r\n*2\r\n-ERR one\r\n-ERR two\r\n:2\r\n+OK\r\n");
  for (let at = 0; at <= bytes.length; at++) {
    const replies = readInPieces([bytes.subarray(0, at), bytes.subarray(at)]);
    expect(replies).toEqual([{ error: "ERR one" }, Buffer.from("OK")]);
  }
});

test.each([
  ["another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["a string without a length", "$abc\r\n"],
  ["a string that goes on", "$3\r\nabcdef\r\n"],
  ["a list without a length", "*\r\n"],
  ["something else in a list", "*2\r\n:1\r\nX"],
  ["a number that is none", ":1x\r\n"],
  ["a number without an end", `:${"1".repeat(100)}`],
  ["a length beyond all memory", "$99999999999999999\r\nx"],
  ["a line that is not ended as lines are", "+OK\rx\n"],
  ["a line without an end", `+${"x".repeat(2 ** 21)}`],
])("%s is not the protocol, however it is cut", (_what, text) => {
  const bytes = Buffer.from(text);
  expect(() => readInPieces([bytes])).toThrow(ProtocolError);
  const size = Math.ceil(bytes.length / 30);
  const pieces = Array.from({ length: 30 }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
  expect(() => readInPieces(pieces)).toThrow(ProtocolError);
});

test("a list of a length nobody can send costs nothing until it comes", () => {
  expect(readInPieces([Buffer.from("*999999999999\r\n:1\r\n")])).toEqual([]);
});

test("lists are read as deep as any answer is, and no deeper", () => {
  const replies: unknown[] = [];
  new ReplyReader((reply) => replies.push(reply)).read(Buffer.from(`${"*1\r\n".repeat(32)}:7\r\n`));
  expect(JSON.stringify(replies)).toBe(`${"[".repeat(33)}7${"]".repeat(33)}`);
  const endless = Buffer.from("*1\r\n".repeat(200_000));
  expect(() => new ReplyReader(() => {}).read(endless)).toThrow(ProtocolError);
});
