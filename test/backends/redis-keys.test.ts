/** Keys on a real server, together with a client that knows nothing of timmy-bb: redis-cli. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { bytes, openBoard, plainly } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";

const ROOT = "timmy-bb:{timmy}:";
const INT64_MAX = 9_223_372_036_854_775_807n;
const INT64_MIN = -9_223_372_036_854_775_808n;
const OVERFLOW = { kind: "conflict", message: "the sum is over 64 bits", hint: undefined };
const HINT = "incr works on decimal integers without blanks or leading zeros";
const NOT_AN_INTEGER = { kind: "conflict", message: "the value is not a 64-bit integer", hint: HINT };
let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(() => server.cli("flushall"));
afterAll(() => server.stop());

/** The log of changes as redis-cli sees it: kind and key of each entry. */
async function changes(): Promise<string[]> {
  const lines = (await server.cli("xrange", `${ROOT}changes`, "-", "+")).split("\n");
  return lines.flatMap((line, at) => (lines[at - 1] === "kind" ? [`${line} ${lines[at + 2]}`] : []));
}

const all = async (keys: AsyncIterable<readonly string[]>): Promise<string[]> => {
  const names: string[] = [];
  for await (const batch of keys) names.push(...batch);
  return names.sort();
};

test("values are plain strings, byte for byte, both ways", async () => {
  const store = await openBoard(server.url);
  const value = Buffer.from([0, 255, 13, 10, 128, 0]);
  await store.set("timmy:bytes", value, plainly);
  expect(await server.cliBytes(["get", "timmy:bytes"])).toEqual(Buffer.concat([value, bytes("\n")]));
  await server.cliBytes(["-x", "set", "timmy:foreign"], value);
  expect(await store.get("timmy:foreign")).toEqual(value);
  await store.set("timmy:empty", bytes(""), plainly);
  expect(await store.get("timmy:empty")).toEqual(bytes(""));
  expect(await store.get("timmy:absent")).toBeNull();
});

test("a value of 9 MiB", async () => {
  const store = await openBoard(server.url);
  const value = Buffer.alloc(9 << 20, "0123456789");
  await store.set("timmy:big", value, plainly);
  expect((await store.get("timmy:big"))?.equals(value)).toBe(true);
  const [facts] = await store.describe(["timmy:big"]);
  expect([facts?.size, facts?.by]).toEqual([value.length, "me"]);
  expect(await server.cli("xrevrange", `${ROOT}changes`, "+", "-")).not.toContain("0123456789");
});

test("a foreign write takes the author away, even one of the same length", async () => {
  const store = await openBoard(server.url);
  for (const value of ["one", "two", "x".repeat(5000)])
    await store.set(`timmy:${value}`, bytes(value), plainly);
  await server.cli("set", "timmy:one", "eno");
  await server.cli("setrange", `timmy:${"x".repeat(5000)}`, "4999", "y");
  await server.cli("rpush", "timmy:list", "x");
  const keys = ["timmy:one", "timmy:two", `timmy:${"x".repeat(5000)}`, "timmy:list", "timmy:absent"];
  const facts = await store.describe(keys);
  expect(facts.map((one) => one && [one.by, one.at === null, one.ageMs === null, one.size])).toEqual([
    [null, true, true, 3],
    ["me", false, false, 3],
    [null, true, true, 5000],
    [null, true, true, null],
    null,
  ]);
});

test("only keys of ours that nobody wrote for so long are deleted", async () => {
  const store = await openBoard(server.url);
  for (const key of ["ours", "stolen", "fresh"]) await store.set(`timmy:${key}`, bytes("v"), plainly);
  await server.cli("set", "timmy:stolen", "w");
  await server.cli("set", "timmy:foreign", "v");
  await server.cli("rpush", "timmy:list", "v");
  const [facts] = await store.describe(["timmy:ours"]);
  await until("300 ms to pass on the server", async () => {
    const [now] = await store.describe(["timmy:ours"]);
    return (now?.ageMs ?? 0) >= (facts?.ageMs ?? 0) + 300;
  });
  await store.set("timmy:fresh", bytes("v"), plainly);
  const keys = ["ours", "stolen", "fresh", "foreign", "list", "absent"].map((name) => `timmy:${name}`);
  expect(await store.del(keys, { agent: "me", unwrittenForMs: 10_000 })).toBe(0);
  expect(await store.del(keys, { agent: "me", unwrittenForMs: 300 })).toBe(1);
  expect(await all(store.keys("timmy:*"))).toEqual([
    "timmy:foreign",
    "timmy:fresh",
    "timmy:list",
    "timmy:stolen",
  ]);
});

test("many keys are deleted in steps; a name given twice counts once", async () => {
  const store = await openBoard(server.url);
  await server.cli("eval", "for i = 1, 1000 do redis.call('SET', 'timmy:' .. i, i) end", "0");
  const keys = Array.from({ length: 1000 }, (_, at) => `timmy:${at + 1}`);
  expect(await store.exists([...keys, ...keys])).toBe(2000);
  expect(await store.del([...keys, ...keys], { agent: "me" })).toBe(1000);
  expect(await changes()).toHaveLength(1000);
});

test("conditions, and who stands in the way", async () => {
  const store = await openBoard(server.url);
  const given = (condition: object) => ({ ...plainly, condition }) as Parameters<typeof store.set>[2];
  const refused = { written: false, because: "condition", by: null, at: null, ageMs: null };
  expect(await store.set("timmy:k", bytes("b"), given({ if: "present" }))).toEqual(refused);
  expect(await store.set("timmy:k", bytes("b"), given({ if: "value", value: bytes("") }))).toEqual(refused);
  expect(await store.set("timmy:k", bytes("a"), given({ if: "absent" }))).toMatchObject({ written: true });
  const against = await store.set("timmy:k", bytes("b"), given({ if: "absent" }));
  expect(against).toEqual({ ...refused, by: "me", at: expect.any(Number), ageMs: expect.any(Number) });
  expect(await store.set("timmy:k", bytes("b"), given({ if: "value", value: bytes("A") }))).toEqual({
    ...against,
    ageMs: expect.any(Number),
  });
  expect(await store.set("timmy:k", bytes("b"), given({ if: "value", value: bytes("a") }))).toMatchObject({
    written: true,
  });
  await server.cli("set", "timmy:k", "foreign");
  expect(await store.set("timmy:k", bytes("b"), given({ if: "absent" }))).toEqual(refused);
  expect(await changes()).toEqual(["set timmy:k", "set timmy:k"]);
});

test("deleting and times to live with a condition: the very value, or who has written another one", async () => {
  const store = await openBoard(server.url);
  const absent = { done: false, isAbsent: true, by: null, at: null, ageMs: null };
  expect(await store.delIf("timmy:k", bytes(""), "me")).toEqual(absent);
  expect(await store.expireIf("timmy:k", bytes(""), 1000)).toEqual(absent);
  await store.set("timmy:k", bytes("v"), plainly);
  const other = { ...absent, isAbsent: false, by: "me", at: expect.any(Number), ageMs: expect.any(Number) };
  expect(await store.delIf("timmy:k", bytes("V"), "you")).toEqual(other);
  expect(await store.expireIf("timmy:k", bytes("vv"), 1000)).toEqual(other);
  expect(await store.ttl("timmy:k")).toBeNull();
  expect(await store.expireIf("timmy:k", bytes("v"), 60_000)).toEqual({ done: true });
  expect(await store.ttl("timmy:k")).toBeGreaterThan(50_000);
  expect(await store.expireIf("timmy:k", bytes("v"), null)).toEqual({ done: true });
  expect(await store.ttl("timmy:k")).toBeNull();
  await server.cli("set", "timmy:k", "foreign");
  expect(await store.delIf("timmy:k", bytes("v"), "me")).toEqual({ ...absent, isAbsent: false });
  expect(await store.delIf("timmy:k", bytes("foreign"), "me")).toEqual({ done: true });
  expect(await changes()).toEqual(["set timmy:k", "del timmy:k"]);
  await server.cli("hset", "timmy:k", "field", "v");
  for (const asked of [
    store.delIf("timmy:k", bytes("v"), "me"),
    store.expireIf("timmy:k", bytes("v"), 1),
    store.set("timmy:k", bytes("w"), { ...plainly, condition: { if: "value", value: bytes("v") } }),
  ]) {
    await expect(asked).rejects.toMatchObject({ kind: "conflict" });
  }
});

test("times to live: set, kept, taken away, and a foreign type replaced", async () => {
  const store = await openBoard(server.url);
  await store.set("timmy:k", bytes("v"), { ...plainly, ttlMs: 60_000 });
  await store.set("timmy:k", bytes("w"), { ...plainly, ttlMs: "keep" });
  expect(await store.ttl("timmy:k")).toBeGreaterThan(50_000);
  expect(await store.expire("timmy:k", null)).toBe(true);
  expect(await store.ttl("timmy:k")).toBeNull();
  expect(await store.expire("timmy:k", 90_000)).toBe(true);
  expect(Number(await server.cli("pttl", "timmy:k"))).toBeGreaterThan(80_000);
  await store.set("timmy:k", bytes("w"), plainly);
  expect(await store.ttl("timmy:k")).toBeNull();
  expect([await store.ttl("timmy:absent"), await store.expire("timmy:absent", 1)]).toEqual([
    undefined,
    false,
  ]);
  await server.cli("rpush", "timmy:list", "x");
  await store.set("timmy:list", bytes("v"), plainly);
  expect(await server.cli("get", "timmy:list")).toBe("v");
});

test("the end of a key is logged once, by whichever write comes first", async () => {
  const store = await openBoard(server.url);
  await store.set("timmy:c", bytes("v"), { ...plainly, ttlMs: 500 });
  await server.cli("persist", "timmy:c"); // a foreign client changed its mind
  for (const key of ["a", "b"]) await store.set(`timmy:${key}`, bytes("v"), { ...plainly, ttlMs: 501 });
  await until("both to end", async () => (await store.exists(["timmy:a", "timmy:b"])) === 0);
  await store.set("timmy:a", bytes("w"), plainly);
  await store.set("timmy:d", bytes("w"), plainly);
  await store.del(["timmy:b"], { agent: "me" });
  const seen = await changes();
  expect(seen.slice(3).sort()).toEqual(["expired timmy:a", "expired timmy:b", "set timmy:a", "set timmy:d"]);
  expect(seen.indexOf("expired timmy:a")).toBeLessThan(seen.lastIndexOf("set timmy:a"));
  expect(await server.cli("zcard", `${ROOT}expiries`)).toBe("0");
  expect(await server.cli("hexists", `${ROOT}meta`, "timmy:b")).toBe("0");
});

test("what is left of keys that a foreign client deleted is swept away", async () => {
  const store = await openBoard(server.url);
  for (let at = 0; at < 40; at++) await store.set(`timmy:${at}`, bytes("v"), plainly);
  await server.cli("eval", "for i = 0, 39 do redis.call('DEL', 'timmy:' .. i) end", "0");
  await until("the leftovers to go", async () => {
    await store.set("timmy:kept", bytes("v"), plainly);
    return (await server.cli("hkeys", `${ROOT}meta`)) === "timmy:kept";
  });
  expect(await server.cli("zcard", `${ROOT}firsts`)).toBe("1");
});

test("numbers at the edges of 64 bits, exactly", async () => {
  const store = await openBoard(server.url);
  expect(await store.incr("timmy:n", INT64_MAX, "me")).toBe(INT64_MAX);
  await expect(store.incr("timmy:n", 1n, "me")).rejects.toMatchObject(OVERFLOW);
  expect(await store.incr("timmy:n", -1n, "me")).toBe(INT64_MAX - 1n);
  expect(await server.cli("get", "timmy:n")).toBe(String(INT64_MAX - 1n));
  expect(await store.incr("timmy:m", INT64_MIN, "me")).toBe(INT64_MIN);
  await expect(store.incr("timmy:m", -1n, "me")).rejects.toMatchObject(OVERFLOW);
  for (const text of ["01", " 1", "1.0", "", "-0", "x", "9223372036854775808"]) {
    await server.cli("set", "timmy:bad", text);
    await expect(store.incr("timmy:bad", 1n, "me")).rejects.toMatchObject(NOT_AN_INTEGER);
    expect(await server.cli("get", "timmy:bad")).toBe(text);
  }
  expect(await changes()).toEqual(["set timmy:n", "set timmy:n", "set timmy:m"]);
});

test("incr keeps the time to live, and is a write of ours", async () => {
  const store = await openBoard(server.url);
  await server.cli("set", "timmy:n", "41", "ex", "100");
  expect(await store.incr("timmy:n", 1n, "me")).toBe(42n);
  expect(await store.ttl("timmy:n")).toBeGreaterThan(90_000);
  expect((await store.describe(["timmy:n"]))[0]?.by).toBe("me");
});

test("keys: each once, although SCAN repeats some when the table shrinks under it", async () => {
  const store = await openBoard(server.url);
  await server.cli("eval", "for i = 1, 100 do redis.call('SET', 'timmy:' .. i, i) end", "0");
  const crowd = (command: string): Promise<string> =>
    server.cli("eval", `for i = 1, 60000 do redis.call(${command}) end`, "0");
  const tableBytes = async (): Promise<number> => {
    const lines = (await server.cli("memory", "stats")).split("\n");
    return Number(lines[lines.indexOf("overhead.hashtable.main") + 1]);
  };
  for (let round = 0; round < 4; round++) {
    await crowd("'SET', 'other:' .. i, i");
    const names: string[] = [];
    for await (const batch of store.keys("timmy:*")) {
      if (names.length < 50 && names.length + batch.length >= 50) {
        await crowd("'DEL', 'other:' .. i");
        await until("the table to shrink", async () => (await tableBytes()) < 100_000);
      }
      names.push(...batch);
    }
    expect(names).toHaveLength(100);
    expect(new Set(names).size).toBe(100);
  }
});

test("keys: none of our own, with and without a prefix", async () => {
  const store = await openBoard(server.url);
  const bare = await openBoard(server.url, { prefix: "" });
  await bare.set("top", bytes("v"), plainly);
  await store.set("timmy:k", bytes("v"), { ...plainly, ttlMs: 60_000 });
  await store.publish("timmy:c", bytes("x"), "me");
  expect(await all(store.keys("timmy:*"))).toEqual(["timmy:k"]);
  expect(await all(bare.keys("*"))).toEqual(["timmy:k", "top"]);
  expect(await all(bare.keys("*mmy-bb*"))).toEqual([]);
  expect(await all(bare.keys(`${"*t".repeat(9)}*`))).toEqual([]); // more stars than a server is asked to match
  expect(await all(bare.keys("t*o*********p"))).toEqual(["top"]);
});

test("names that are not UTF-8 are listed, read and deleted", async () => {
  const store = await openBoard(server.url);
  await server.cliBytes(["eval", "redis.call('SET', 'timmy:\\255\\254', 'v')", "0"]);
  const [name = ""] = await all(store.keys("timmy:*"));
  expect((await store.get(name))?.toString()).toBe("v");
  expect(await store.del([name], { agent: "me" })).toBe(1);
  expect(await server.cli("dbsize")).toBe(String((await server.cli("keys", `${ROOT}*`)).split("\n").length));
});

test("retention of changes, by number", async () => {
  const history = { messagesPerChannel: 3, changes: 5, maxAgeMs: 60_000 };
  const store = await openBoard(server.url, { history });
  for (let at = 0; at < 9; at++) {
    await store.set("timmy:k", bytes(String(at)), plainly);
    await store.publish("timmy:c", bytes(String(at)), "me");
  }
  expect(await changes()).toHaveLength(5);
  expect(await store.channels("timmy:*")).toMatchObject([{ channel: "timmy:c", messages: 3, followers: 0 }]);
  expect(Number(await server.cli("pttl", `${ROOT}channel:timmy:c`))).toBeGreaterThan(50_000);
});
