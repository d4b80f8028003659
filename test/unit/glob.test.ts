/** Globs. The oracle is a real server's KEYS, over names and patterns made of everything that has a meaning in a glob. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileGlob, escapeGlob, isPattern, literalPrefix } from "../../src/core/glob.ts";
import { decodeName, MAX_NAME_BYTES, MAX_PATTERN_BYTES } from "../../src/core/names.ts";
import { RawRedis } from "../helpers/raw-redis.ts";
import { RedisServer } from "../helpers/redis-server.ts";

const BYTES = Buffer.concat([
  Buffer.from("abcdz[]^-!\\*?{}:"),
  Buffer.from([0x00, 0x7f, 0x80, 0xc3, 0xa9, 0xff]),
]);
const SIGNS = Buffer.from("**??[[]]^^--\\\\!");

/** The same numbers on every run: a failure can be looked at again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomBytes(next: (below: number) => number, alphabet: Uint8Array, longest: number): Buffer {
  return Buffer.from(Array.from({ length: 1 + next(longest) }, () => alphabet[next(alphabet.length)] ?? 0));
}

describe("against a server's KEYS", () => {
  let server: RedisServer;
  let raw: RawRedis;
  const names = new Map<string, Buffer>();

  beforeAll(async () => {
    server = await RedisServer.start();
    raw = await RawRedis.connect(server.url);
    const next = random(1);
    while (names.size < 400) {
      const name = randomBytes(next, BYTES, 6);
      names.set(name.toString("latin1"), name);
    }
    await Promise.all([...names.values()].map((name) => raw.call("set", name, "")));
  });
  afterAll(async () => {
    raw.close();
    await server.stop();
  });

  test("thousands of random patterns find the very same names", async () => {
    const next = random(2);
    const alphabet = Buffer.concat([BYTES, SIGNS, SIGNS]);
    for (let round = 0; round < 60; round++) {
      const patterns = Array.from({ length: 100 }, () => randomBytes(next, alphabet, 9));
      const replies = await Promise.all(patterns.map((pattern) => raw.list("keys", pattern)));
      patterns.forEach((pattern, at) => {
        const expected = (replies[at] ?? []).map((name) => name.toString("latin1")).sort();
        expect([pattern.toString("latin1"), ours(pattern)]).toEqual([pattern.toString("latin1"), expected]);
      });
    }
  });

  test.each([
    "h[^l]o",
    "[!a]",
    "[c-a]",
    "[a",
    "[^",
    "[]",
    "[]a]",
    "[a-]",
    "[\\]]",
    "\\",
    "a\\",
    "\\*",
    "[\\",
    "?",
    "é",
  ])("the trap %s", async (pattern) => {
    const expected = (await raw.list("keys", pattern)).map((name) => name.toString("latin1")).sort();
    expect(ours(Buffer.from(pattern))).toEqual(expected);
  });

  function ours(pattern: Buffer): string[] {
    const matches = compileGlob(decodeName(pattern));
    return [...names]
      .filter(([, name]) => matches(name))
      .map(([text]) => text)
      .sort();
  }
});

test.each([
  ["*?".repeat(MAX_PATTERN_BYTES / 2), "a".repeat(MAX_NAME_BYTES)],
  [`${"*a".repeat(MAX_PATTERN_BYTES / 2 - 1)}b`, "a".repeat(MAX_NAME_BYTES)],
  [`${"*a".repeat(500)}*b`, "a".repeat(MAX_NAME_BYTES)],
  [`*${"a".repeat(512)}b`, "a".repeat(MAX_NAME_BYTES)],
  [`*${"[^b]".repeat(512)}b`, "a".repeat(MAX_NAME_BYTES)],
])("the worst patterns end in less than 50 ms: %.12s…", (pattern, name) => {
  const matches = compileGlob(pattern);
  const bytes = Buffer.from(name);
  const start = performance.now();
  expect(matches(bytes)).toBe(false);
  expect(performance.now() - start).toBeLessThan(50);
});

test("an escaped name matches itself and nothing else; its prefix is the whole of it", () => {
  for (const name of ["a*b", "[x]", "?", "\\", "\\*", "plain", "ä*"]) {
    const pattern = escapeGlob(name);
    expect(compileGlob(pattern)(Buffer.from(name))).toBe(true);
    expect(compileGlob(pattern)(Buffer.from(`${name}x`))).toBe(false);
    expect(literalPrefix(pattern)).toEqual(Buffer.from(name));
  }
  expect(literalPrefix("ab*c")).toEqual(Buffer.from("ab"));
  expect([isPattern("plain"), isPattern("a?"), isPattern("a\\b")]).toEqual([false, true, true]);
});
