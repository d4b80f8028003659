/** Taking keys on a server that foreign clients use, too. */
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import { TAKE } from "../../src/backends/redis/removal-scripts.ts";
import type { KeySelection } from "../../src/core/types.ts";
import { RawRedis } from "../helpers/raw-redis.ts";
import { bytes, openBoard, plainly } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { ROOT } from "./redis-lock-world.ts";

let server: RedisServer;
let store: RedisStore;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(async () => {
  await server.cli("flushall");
  store = await openBoard(server.url);
});
afterAll(() => server.stop());

const like = (...patterns: string[]): KeySelection => ({ keys: [], patterns });
const named = (...keys: string[]): KeySelection => ({ keys, patterns: [] });
const put = async (...names: string[]) => {
  for (const name of names) await store.set(`timmy:${name}`, bytes(name), plainly);
};
/** All that can be taken, in this order, without `timmy:`. */
async function takeAll(selection = like("timmy:*"), from = store): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    const taken = await from.take(selection, "taker");
    if (taken === null) return names;
    names.push(taken.key.slice("timmy:".length));
  }
}

test("the oldest goes first, by when it came to be, not by its name nor by who has written it since", async () => {
  await put("c", "b", "a");
  await put("c"); // written again: the same key
  await store.del(["timmy:b"], { agent: "me" });
  await put("b"); // made again: the youngest
  await server.cli("set", "timmy:a", "foreign now");
  expect(await takeAll()).toEqual(["c", "a", "b"]);
});

test("a key that was made again since it was listed is younger than what comes later in the list", async () => {
  await put("a", "b");
  const listed = await server.cli("zscore", `${ROOT}firsts`, "timmy:b");
  await store.del(["timmy:a"], { agent: "me" });
  await put("a");
  const raw = await RawRedis.connect(server.url);
  onTestFinished(() => raw.close());
  const take = (...keys: string[]) => {
    const header = [`${ROOT}id`, ...keys, ROOT, "me", 10, 10, 1000, listed, 0];
    return raw.list("eval", TAKE.source, keys.length + 1, ...header);
  };
  expect((await take("timmy:a", "timmy:b"))[0]?.toString()).toBe("timmy:b");
  await expect(take("timmy:a")).rejects.toThrow("list"); // a number: there is none
});

test("all is told of the key, which is gone, and logged as deleted by the taker", async () => {
  const { id } = (await store.set("timmy:k", bytes("v"), { ...plainly, ttlMs: 60_000 })) as { id: string };
  const taken = await store.take(named("timmy:k"), "taker");
  expect(taken).toMatchObject({ key: "timmy:k", value: bytes("v"), id, by: "me", size: 1 });
  expect(taken?.ttlMs).toBeGreaterThan(50_000);
  expect(taken?.ageMs).toBeLessThan(10_000);
  expect(await store.exists(["timmy:k"])).toBe(0);
  const log = (await server.cli("xrevrange", `${ROOT}changes`, "+", "-", "count", "1")).split("\n");
  expect(log.slice(3, 9)).toEqual(["kind", "del", "key", "timmy:k", "by", "taker"]);
  for (const books of ["firsts", "expiries"]) expect(await server.cli("zcard", ROOT + books)).toBe("0");
});

test("foreign keys come last, and what is no plain string never", async () => {
  await server.cli("mset", "timmy:f1", "1", "timmy:f2", "2", "other:f", "x");
  await server.cli("hset", "timmy:hash", "field", "1");
  await put("mine");
  await put("list");
  await server.cli("del", "timmy:list");
  await server.cli("rpush", "timmy:list", "1");
  const [first, ...rest] = await takeAll();
  expect(first).toBe("mine");
  expect(rest.sort()).toEqual(["f1", "f2"]);
  expect(await server.cli("exists", "timmy:hash", "timmy:list", "other:f")).toBe("3");
  await server.cli("set", "timmy:f1", "1");
  await put("a");
  expect(await takeAll(named("timmy:f1", "timmy:hash", "timmy:no", "timmy:a", "timmy:a"))).toEqual([
    "a",
    "f1",
  ]);
  await server.cli("set", "timmy:f1", "1");
  expect(await takeAll({ keys: ["timmy:f1"], patterns: ["timmy:x*"] })).toEqual(["f1"]);
  const foreign = await server.cli("set", "timmy:f", "v").then(() => store.take(like("timmy:f"), "me"));
  expect(foreign).toMatchObject({
    by: null,
    at: null,
    id: null,
    ageMs: null,
    ttlMs: null,
    value: bytes("v"),
  });
});

test("what is written while foreign keys are looked for goes before them", async () => {
  await server.cli("eval", "for i = 1, 20000 do redis.call('SET', 'timmy:f' .. i, i) end", "0"); // ten steps to scan
  const writer = await openBoard(server.url);
  for (let round = 0; round < 20; round++) {
    const taking = store.take(like("timmy:job:*"), "me");
    const names = [5, 3, 1, 2, 4].map((at) => `timmy:job:${round}:${at}`);
    for (const name of names) await writer.set(name, bytes("v"), plainly);
    const taken = await taking;
    expect(taken?.key ?? names[0]).toBe(names[0]);
    await writer.del(names, { agent: "me" });
  }
});

test("what is written before the last foreign key goes is found", async () => {
  const writer = await openBoard(server.url);
  await server.cli("eval", "for i = 1, 20000 do redis.call('SET', 'timmy:x' .. i, i) end", "0"); // ten steps to scan
  for (let round = 0; round < 40; round++) {
    await server.cli("set", `timmy:job:f${round}`, "v");
    const taking = store.take(like("timmy:job:*"), "me");
    await writer.get("timmy:job:f");
    const setting = writer.set(`timmy:job:${round}`, bytes("v"), plainly);
    const others = writer.take(named(`timmy:job:f${round}`), "me");
    expect(await taking).not.toBeNull();
    await Promise.all([setting, others]);
    await writer.del([`timmy:job:f${round}`, `timmy:job:${round}`], { agent: "me" });
  }
});

test("to take nothing from many foreign keys may take longer than one answer", async () => {
  await server.cli("eval", "for i = 1, 300000 do redis.call('SET', 'other:' .. i, i) end", "0");
  const hasty = await openBoard(server.url, { timeoutMs: 100 });
  expect(await hasty.take(like("timmy:*"), "me")).toBeNull();
});

test("keys that expired, or that a foreign client deleted, are passed over", async () => {
  await store.set("timmy:short", bytes("v"), { ...plainly, ttlMs: 20 });
  await put("gone", "there");
  await server.cli("del", "timmy:gone");
  await until("it has expired", async () => (await store.exists(["timmy:short"])) === 0);
  expect(await takeAll()).toEqual(["there"]);
  expect(await store.exists(["timmy:short"])).toBe(0);
});

test("a few among many older ones, by patterns and by many names", async () => {
  const older = Array.from({ length: 3000 }, (_, at) => store.set(`timmy:old:${at}`, bytes("v"), plainly));
  await Promise.all(older);
  await put("job:2", "job:1", "[x]", "x");
  expect(await takeAll(like("timmy:job:*", "timmy:\\[x\\]"))).toEqual(["job:2", "job:1", "[x]"]);
  const many = Array.from({ length: 1500 }, (_, at) => `timmy:none:${at}`);
  await server.cli("set", "timmy:none:1499", "foreign");
  expect(await takeAll(named(...many, "timmy:x", "timmy:old:2999"))).toEqual(["old:2999", "x", "none:1499"]);
  expect(await takeAll(like("timmy:job:*"))).toEqual([]);
});

test("values of any bytes and of 20 MiB", async () => {
  for (const value of [Buffer.alloc(0), Buffer.from([0, 255, 10]), Buffer.alloc(20 << 20, "x")]) {
    await store.set("timmy:k", value, plainly);
    const taken = await store.take(like("timmy:*"), "me");
    expect(taken?.value.equals(value)).toBe(true);
    expect(taken?.size).toBe(value.length);
  }
});

test("eight who take two hundred keys at once: each goes to one of them, the oldest first", async () => {
  const stores = await Promise.all(Array.from({ length: 8 }, () => openBoard(server.url)));
  const names = Array.from({ length: 200 }, (_, at) => `job:${at}`);
  await put(...names);
  const taken = await Promise.all(stores.map((one) => takeAll(like("timmy:job:*"), one)));
  for (const part of taken) expect(part.length).toBeGreaterThan(0);
  expect(taken.flat().sort()).toEqual([...names].sort());
  const log = await server.cli("--json", "xrange", `${ROOT}changes`, "-", "+");
  const deleted = [...log.matchAll(/"del","key","timmy:([^"]+)"/g)].map(([, name]) => name);
  expect(deleted).toEqual(names);
});

test("eight who take foreign keys at once: each goes to one of them", async () => {
  const stores = await Promise.all(Array.from({ length: 8 }, () => openBoard(server.url)));
  const names = Array.from({ length: 200 }, (_, at) => `job:${at}`);
  await server.cli("mset", ...names.flatMap((name) => [`timmy:${name}`, "v"]));
  const taken = await Promise.all(stores.map((one) => takeAll(like("timmy:job:*"), one)));
  expect(taken.flat().sort()).toEqual([...names].sort());
});
