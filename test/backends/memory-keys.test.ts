/** Keys and values in the memory store. */
import { afterEach, describe, expect, test } from "vitest";
import { parseInteger } from "../../src/backends/memory/integer.ts";
import type { Backend } from "../../src/core/backend.ts";
import { collect } from "../../src/core/collect.ts";
import { decodeName } from "../../src/core/names.ts";
import { until } from "../helpers/until.ts";
import { bytes, cleanUp, kindsOf, newPath, open, plain } from "./memory-world.ts";

afterEach(cleanUp);

const keysOf = async (backend: Backend, pattern: string) => (await collect(backend.keys(pattern))).flat();

describe("values", () => {
  test("of no byte, of every byte, and of bytes that are not UTF-8 come back as they were", async () => {
    const backend = await open(newPath());
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    for (const value of [
      new Uint8Array(0),
      Buffer.alloc(0),
      every,
      every.subarray(128, 140),
      bytes("a\0b\r\n"),
    ]) {
      await backend.set("t:k", value, plain());
      expect(await backend.get("t:k")).toEqual(Buffer.from(value));
      expect((await backend.describe(["t:k"]))[0]?.size).toBe(value.length);
    }
  });

  test("of 64 MiB pass, one byte more is refused, and so for payloads", async () => {
    const backend = await open(newPath());
    const limit = backend.capabilities.maxValueBytes;
    expect(limit).toBe(64 * 1024 * 1024);
    const large = Buffer.alloc(limit + 1, 7);
    const error = { kind: "usage", message: expect.stringContaining(String(limit)) };
    await expect(backend.set("t:k", large, plain())).rejects.toMatchObject(error);
    await expect(backend.publish("t:c", large, "me")).rejects.toMatchObject(error);
    expect(await backend.exists(["t:k"])).toBe(0);
    await backend.set("t:k", large.subarray(1), plain());
    expect((await backend.get("t:k"))?.equals(large.subarray(1))).toBe(true);
  });

  test("are kept when the board is opened again", async () => {
    const path = newPath();
    const before = await open(path);
    await before.set("t:k", bytes("v"), plain());
    await before.close();
    expect(await (await open(path)).get("t:k")).toEqual(bytes("v"));
  });
});

describe("set", () => {
  test("tells who wrote what stands in the way", async () => {
    const backend = await open(newPath());
    await backend.set("t:k", bytes("v"), plain({ agent: "ann" }));
    const refused = await backend.set(
      "t:k",
      bytes("w"),
      plain({ condition: { if: "value", value: bytes("x") } }),
    );
    const rival = { by: "ann", at: expect.any(Number), ageMs: expect.any(Number) };
    expect(refused).toEqual({ written: false, because: "condition", ...rival });
    const none = await backend.set("t:none", bytes("w"), plain({ condition: { if: "present" } }));
    expect(none).toEqual({ written: false, because: "condition", by: null, at: null, ageMs: null });
  });

  test("keeps a time to live or takes it away, as told", async () => {
    const backend = await open(newPath());
    await backend.set("t:k", bytes("v"), plain({ ttlMs: 60_000 }));
    await backend.set("t:k", bytes("w"), plain({ ttlMs: "keep" }));
    expect(await backend.ttl("t:k")).toBeGreaterThan(50_000);
    await backend.incr("t:n", 1n, "me");
    expect(await backend.ttl("t:n")).toBeNull();
    await backend.set("t:k", bytes("v"), plain());
    expect(await backend.ttl("t:k")).toBeNull();
    await backend.set("t:new", bytes("v"), plain({ ttlMs: "keep" }));
    expect(await backend.ttl("t:new")).toBeNull();
    expect(await backend.ttl("t:none")).toBeUndefined();
  });
});

describe("incr", () => {
  test.each(["0", "7", "-7", "9223372036854775807", "-9223372036854775808"])("takes %s", (text) => {
    expect(parseInteger(bytes(text))).toBe(BigInt(text));
  });

  test.each([
    "",
    "-",
    "-0",
    "+1",
    "01",
    " 1",
    "1 ",
    "1.0",
    "1\n",
    "0x1",
    "9223372036854775808",
    "-9223372036854775809",
  ])("refuses %j", (text) => {
    expect(parseInteger(bytes(text))).toBeNull();
  });

  test("is exact to the last of 64 bits and refuses to go beyond", async () => {
    const backend = await open(newPath());
    const most = 2n ** 63n - 1n;
    expect(await backend.incr("t:n", most, "me")).toBe(most);
    await expect(backend.incr("t:n", 1n, "me")).rejects.toMatchObject({ kind: "conflict" });
    expect(await backend.incr("t:n", -1n, "me")).toBe(most - 1n);
    await expect(backend.incr("t:m", most + 1n, "me")).rejects.toMatchObject({ kind: "conflict" });
  });

  test("leaves the time to live", async () => {
    const backend = await open(newPath());
    await backend.set("t:n", bytes("1"), plain({ ttlMs: 60_000 }));
    await backend.incr("t:n", 1n, "me");
    expect(await backend.ttl("t:n")).toBeGreaterThan(50_000);
  });
});

describe("names", () => {
  test("that are not UTF-8 are not those with the replacement character", async () => {
    const backend = await open(newPath());
    await backend.set("t:\ufffd", bytes("v"), plain());
    const foreign = decodeName(Buffer.from([0x74, 0x3a, 0xff]));
    expect(await backend.get(foreign)).toBeNull();
    expect(await backend.exists([foreign])).toBe(0);
    expect(await backend.del([foreign], { agent: "me" })).toBe(0);
    expect(await backend.get("t:\ufffd")).toEqual(bytes("v"));
  });

  test("differ by case, by normal form and by a blank at the end", async () => {
    const backend = await open(newPath());
    const names = ["t:a", "t:A", "t:a ", "t:\u00e9", "t:e\u0301", "t:1", "t:1.0", "t:01"];
    for (const name of names) await backend.set(name, bytes(name), plain());
    for (const name of names) expect(await backend.get(name)).toEqual(bytes(name));
    expect(await backend.exists([...names, "t:a"])).toBe(9);
  });

  test("of all boards are seen with an empty prefix", async () => {
    const path = newPath();
    await (await open(path)).set("t:k", bytes("v"), plain());
    const all = await open(path, { prefix: "" });
    expect(await all.get("t:k")).toEqual(bytes("v"));
    expect((await all.status()).stores[0]?.keys).toBe(1);
    expect((await (await open(path, { prefix: "u" })).status()).stores[0]?.keys).toBe(0);
  });
});

describe("del", () => {
  test("spares what was written more recently than told", async () => {
    const backend = await open(newPath());
    await backend.set("t:k", bytes("v"), plain());
    expect(await backend.del(["t:k"], { agent: "me", unwrittenForMs: 60_000 })).toBe(0);
    expect(await backend.del(["t:k"], { agent: "me", unwrittenForMs: 0 })).toBe(1);
  });
});

describe("keys", () => {
  test("come page after page, each once, also across page ends and while others write", async () => {
    const path = newPath();
    const backend = await open(path);
    const names = Array.from({ length: 2500 }, (_, i) => `t:k${i}`);
    for (const name of names) await backend.set(name, bytes("v"), plain());
    const found: string[] = [];
    for await (const batch of backend.keys("t:*")) {
      found.push(...batch);
      await backend.set(`t:a${found.length}`, bytes("behind"), plain());
      await backend.set("t:k1", bytes("again"), plain());
      await backend.del(["t:k2499"], { agent: "me" });
    }
    expect(new Set(found).size).toBe(found.length);
    expect(found.filter((name) => name !== "t:k2499").sort()).toEqual(names.slice(0, 2499).sort());
  });

  test("are narrowed by the pattern's beginning and matched as bytes", async () => {
    const backend = await open(newPath());
    for (const name of ["t:ab", "t:abc", "t:b", "t:ü", "t:[x", "tz", "t"])
      await backend.set(name, bytes("v"), plain());
    expect(await keysOf(backend, "t:ab*")).toEqual(["t:ab", "t:abc"]);
    expect(await keysOf(backend, "t:??")).toEqual(["t:[x", "t:ab", "t:ü"]);
    expect(await keysOf(backend, "t:\\[*")).toEqual(["t:[x"]);
    expect(await keysOf(backend, "*")).toHaveLength(7);
    expect(await keysOf(backend, "t")).toEqual(["t"]);
  });
});

describe("what is done only if a key has a value", () => {
  test("is done in one step, logged as what it is, or says who wrote what is there", async () => {
    const path = newPath();
    const backend = await open(path);
    await backend.set("t:k", bytes("v"), plain({ agent: "ann" }));
    const rival = { by: "ann", at: expect.any(Number), ageMs: expect.any(Number) };
    const refused = { done: false, isAbsent: false, ...rival };
    expect(await backend.delIf("t:k", bytes("w"), "me")).toEqual(refused);
    expect(await backend.expireIf("t:k", bytes("w"), 60_000)).toEqual(refused);
    expect(await backend.ttl("t:k")).toBeNull();
    expect(await backend.expireIf("t:k", bytes("v"), 60_000)).toEqual({ done: true });
    expect(await backend.ttl("t:k")).toBeGreaterThan(50_000);
    expect(await backend.expireIf("t:k", bytes("v"), null)).toEqual({ done: true });
    expect(await backend.ttl("t:k")).toBeNull();
    expect(await backend.delIf("t:k", bytes("v"), "me")).toEqual({ done: true });
    const absent = { done: false, isAbsent: true, by: null, at: null, ageMs: null };
    expect(await backend.delIf("t:k", bytes("v"), "me")).toEqual(absent);
    expect(await backend.expireIf("t:k", bytes("v"), 60_000)).toEqual(absent);
    expect(kindsOf(path, "t:k")).toEqual(["set", "del"]);
  });

  test("does not read a value of another length", async () => {
    const backend = await open(newPath());
    const value = Buffer.alloc(32 * 1024 * 1024, "v");
    await backend.set("t:k", value, plain());
    const quickest = async (other: Buffer) => {
      const took: number[] = [];
      for (let round = 0; round < 5; round++) {
        const begun = performance.now();
        expect(await backend.delIf("t:k", other, "me")).toMatchObject({ done: false });
        took.push(performance.now() - begun);
      }
      return Math.min(...took);
    };
    const same = await quickest(Buffer.alloc(value.length, "w"));
    expect(await quickest(Buffer.from("w"))).toBeLessThan(same / 4);
    expect(await backend.delIf("t:k", Buffer.alloc(0), "me")).toMatchObject({ done: false });
    await backend.set("t:empty", Buffer.alloc(0), plain());
    expect(await backend.delIf("t:empty", Buffer.alloc(0), "me")).toEqual({ done: true });
  });

  test("is not done to a key whose time is up, which is logged as expired", async () => {
    const path = newPath();
    const backend = await open(path);
    await backend.set("t:k", bytes("v"), plain({ ttlMs: 1 }));
    await until("its time is up", async () => (await backend.get("t:k")) === null);
    expect(await backend.delIf("t:k", bytes("v"), "me")).toMatchObject({ isAbsent: true });
    expect(await backend.expireIf("t:k", bytes("v"), null)).toMatchObject({ isAbsent: true });
    expect(kindsOf(path, "t:k")).toEqual(["set", "expired"]);
  });
});
