/** Locks on a server: who gets one, what is known of it, and what is written under it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import { numberToMs } from "../../src/core/ids.ts";
import { LOCK_MEMORY_MS } from "../../src/core/lock.ts";
import { bytes, openBoard, plainly } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { granted, hold, line, ROOT, request, wait } from "./redis-lock-world.ts";
import { start } from "./redis-world.ts";

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

describe("a grant", () => {
  test("is the same for a token that asks again, its time begun anew", async () => {
    const first = await hold(store, "a", { ttlMs: 5000 });
    const asked = performance.now();
    const again = await hold(store, "a", { ttlMs: 9000 });
    expect(again).toMatchObject({ fence: first.fence, ttlMs: 9000 });
    expect(again.expiresAt).toBeGreaterThanOrEqual(first.expiresAt + 4000);
    expect(again.askedAt).toBeGreaterThanOrEqual(asked);
    const refreshed = await store.refreshLock("l", "a", { ttlMs: null, withinMs: Infinity });
    expect(refreshed).toMatchObject({ fence: first.fence, ttlMs: 9000 });
    expect((await store.refreshLock("l", "a", { ttlMs: 20_000, withinMs: 1000 }))?.ttlMs).toBe(20_000);
  });

  test("belongs to its token: no other refreshes or releases it", async () => {
    await hold(store, "a");
    expect(await store.refreshLock("l", "b", { ttlMs: null, withinMs: 1000 })).toBeNull();
    expect(await store.releaseLock("l", "b")).toBe(false);
    expect(await store.tryLock("l", request("b"))).toBeNull();
    expect(await store.releaseLock("l", "a")).toBe(true);
    expect(await store.releaseLock("l", "a")).toBe(false);
    expect(await store.refreshLock("l", "a", { ttlMs: null, withinMs: 1000 })).toBeNull();
    await hold(store, "b");
  });

  test("that was not refreshed in time is over, also if nobody else has asked", async () => {
    const { fence } = await hold(store, "a", { ttlMs: 20 });
    await until("its time is up", async () => (await store.locks("l")).length === 0);
    expect(await store.refreshLock("l", "a", { ttlMs: 1000, withinMs: 1000 })).toBeNull();
    expect(await store.releaseLock("l", "a")).toBe(false);
    expect((await hold(store, "a")).fence).toBeGreaterThan(fence);
  });

  test("has a greater number than all before, also where the server has forgotten them", async () => {
    let last = 0;
    for (const forget of ["script flush", "flushall", "flushall", "ping"]) {
      const { fence } = await hold(store, `after ${last}`.replace(" ", "-"));
      expect(fence).toBeGreaterThan(last);
      last = fence;
      await server.cli(...forget.split(" "));
      await store.releaseLock("l", `after-${last}`);
      await server.cli("del", `${ROOT}holders:l`);
    }
  });

  test("of which the server has forgotten what it was is none, and over when its time is up", async () => {
    await hold(store, "a", { ttlMs: 200 });
    await server.cli("del", `${ROOT}lock:l`);
    expect(await store.refreshLock("l", "a", { ttlMs: 60_000, withinMs: 1000 })).toBeNull();
    expect(await store.tryLock("l", request("a"))).toBeNull();
    await granted(wait(store, "b").grant);
    await server.cli("del", `${ROOT}lock:l`);
    expect(await store.releaseLock("l", "b")).toBe(true);
    await hold(store, "c");
  });

  test("of several slots: each caller is right about their number", async () => {
    const slots = { slots: 2 };
    const [one, two] = [await hold(store, "a", slots), await hold(store, "b", slots)];
    expect(two.fence).toBeGreaterThan(one.fence);
    expect(await store.tryLock("l", request("c", slots))).toBeNull();
    expect(await store.tryLock("l", request("c"))).toBeNull();
    await hold(store, "c", { slots: 3 });
    const owners = (await store.locks("l"))[0]?.holders.map(({ owner }) => owner);
    expect(owners).toEqual(["a@here", "b@here", "c@here"]);
  });
});

describe("what is known", () => {
  test("is who holds since when and for how long, and how many wait, by board", async () => {
    await hold(store, "a", { owner: 'a "b" ü', host: "far", pid: 7 });
    await line(server, store, "b");
    await store.tryLock("m", request("c"));
    await store.tryLock("free", request("d"));
    await store.releaseLock("free", "d");
    const other = await openBoard(server.url, { prefix: "other" });
    await other.tryLock("l", request("e"));
    const listed = await store.locks(null);
    expect(listed.map(({ lock, waiting }) => [lock, waiting]).sort()).toEqual([
      ["l", 1],
      ["m", 0],
    ]);
    const [holder] = (await store.locks("l"))[0]?.holders ?? [];
    expect(holder).toMatchObject({ owner: 'a "b" ü', host: "far", pid: 7 });
    expect(holder?.leftMs).toBeGreaterThan(30_000);
    expect(holder?.ageMs).toBeLessThan(30_000);
    expect(JSON.stringify(listed)).not.toContain("token");
    expect(await store.locks("free")).toEqual([]);
    expect((await store.status()).stores[0]?.locks).toBe(2);
    expect((await other.status()).stores[0]?.locks).toBe(1);
  });

  test("is that of others, too, if there is something strange in what is known of one", async () => {
    await hold(store, "a", { owner: "a\u2028b", host: "\u2029" });
    expect((await store.locks("l"))[0]?.holders).toMatchObject([{ owner: "a\u2028b", host: "\u2029" }]);
    for (const lock of ["gone", "odd"]) await store.tryLock(lock, request("b"));
    await server.cli("del", `${ROOT}lock:gone`);
    await server.cli("hset", `${ROOT}lock:odd`, "h:b", "1 2 {");
    expect((await store.locks(null)).map(({ lock }) => lock)).toEqual(["l"]);
  });

  test("is little of a lock that was given back", async () => {
    const { fence } = await hold(store, "a", { owner: "somebody@somewhere", host: "a-host-with-a-name" });
    await store.releaseLock("l", "a");
    expect(await server.cli("exists", `${ROOT}holders:l`, `${ROOT}line:l`)).toBe("0");
    const fields = (await server.cli("hkeys", `${ROOT}lock:l`)).split("\n").sort();
    expect(fields).toEqual(["by", `f:${fence}`, "fence", "past"]);
    expect(Number(await server.cli("memory", "usage", `${ROOT}lock:l`))).toBeLessThan(300);
  });

  test("is forgotten some time after the last grant", async () => {
    await hold(store, "a", { ttlMs: 60_000 });
    const left = async (key: string) => Number(await server.cli("pttl", ROOT + key));
    for (const key of ["lock:l", "holders:l"]) {
      expect(await left(key)).toBeGreaterThan(LOCK_MEMORY_MS + 50_000);
      expect(await left(key)).toBeLessThanOrEqual(LOCK_MEMORY_MS + 60_000);
    }
    await line(server, store, "b");
    expect(await left("line:l")).toBeGreaterThan(LOCK_MEMORY_MS + 50_000);
    await store.releaseLock("l", "a");
  });
});

describe("a fence", () => {
  const UNKNOWN = { written: false, because: "fence", by: null, at: null, ageMs: null };
  const set = (fence: number, lock = "l") =>
    store.set("timmy:k", bytes("v"), { ...plainly, fence: { lock, fence } });

  test("stands while its grant does and after it, until the next one, which says who has it", async () => {
    expect(await set(1)).toEqual(UNKNOWN);
    const { fence } = await hold(store, "a");
    expect(await set(fence)).toMatchObject({ written: true });
    expect(await set(fence + 1)).toMatchObject({ because: "fence", by: "a@here" });
    expect(await set(fence, "m")).toEqual(UNKNOWN);
    await store.releaseLock("l", "a");
    expect(await set(fence)).toMatchObject({ written: true });
    const next = await hold(store, "b", { ttlMs: 20 });
    const refused = { written: false, because: "fence", by: "b@here", at: numberToMs(next.fence) };
    expect(await set(fence)).toEqual({ ...refused, ageMs: expect.any(Number) });
    await until("its time is up", async () => (await store.locks("l")).length === 0);
    expect(await set(next.fence)).toMatchObject({ written: true });
    expect(await set(fence)).toMatchObject(refused);
    await server.cli("del", `${ROOT}lock:l`); // forgotten
    expect(await set(next.fence)).toEqual(UNKNOWN);
  });

  test("of several slots stands as long as its own grant, and comes before the condition", async () => {
    const one = await hold(store, "a", { slots: 2 });
    const two = await hold(store, "b", { slots: 2 });
    for (const { fence } of [one, two]) expect(await set(fence)).toMatchObject({ written: true });
    await store.releaseLock("l", "a");
    await hold(store, "c", { slots: 2 });
    expect(await set(two.fence)).toMatchObject({ written: true });
    expect(await set(one.fence)).toMatchObject({ because: "fence", by: "c@here" });
    const condition = { if: "absent" } as const;
    const under = (fence: number) =>
      store.set("timmy:k", bytes("v"), { ...plainly, condition, fence: { lock: "l", fence } });
    expect(await under(one.fence)).toMatchObject({ because: "fence", by: "c@here" });
    expect(await under(two.fence)).toMatchObject({ because: "condition", by: "me" });
  });
});

test("on a full server nobody gets a lock, and what is held can be kept and given back", async () => {
  const full = await start({ settings: ["--maxmemory", "3mb"] });
  const board = await openBoard(full.url);
  await board.set("timmy:k", bytes("v"), plainly);
  await hold(board, "a");
  await full.cli("config", "set", "maxmemory", "1");
  await expect(board.tryLock("m", request("b"))).rejects.toMatchObject({ kind: "unavailable" });
  expect(await board.refreshLock("l", "a", { ttlMs: 1000, withinMs: 1000 })).toMatchObject({ ttlMs: 1000 });
  const waiting = wait(board, "b");
  await until("it says why it waits", () => waiting.states[0]?.state === "away");
  expect(await board.releaseLock("l", "a")).toBe(true);
  expect(await board.delIf("timmy:k", bytes("w"), "me")).toMatchObject({ done: false, by: "me" });
  expect(await board.take({ keys: [], patterns: ["timmy:*"] }, "me")).toMatchObject({ key: "timmy:k" });
  await full.cli("config", "set", "maxmemory", "0");
  await granted(waiting.grant);
  expect(waiting.states.map(({ state }) => state)).toEqual(["away", "back"]);
});
