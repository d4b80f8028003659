/** The line for a lock on a server: who is served when, what that costs, and who is passed over. */
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import { numberToMs } from "../../src/core/ids.ts";
import { TURN_MS } from "../../src/core/lock.ts";
import { RawRedis } from "../helpers/raw-redis.ts";
import { openBoard } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until, within } from "../helpers/until.ts";
import { granted, hold, line, ROOT, request, tokensIn, wait, waitingProcess } from "./redis-lock-world.ts";
import { cuttableLine } from "./redis-world.ts";

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

/** Scripts run since the last `config resetstat`. */
async function scriptsRun(): Promise<number> {
  const stats = await server.cli("info", "commandstats");
  return [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}

test("the line is served in order, one at a time, and each asks twice: when it comes, and when it is told", async () => {
  await hold(store, "holder");
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const waiting = [];
  const order: string[] = [];
  for (const name of names) {
    const one = await line(server, store, name);
    waiting.push(one.grant.then(() => order.push(name)));
  }
  await server.cli("config", "resetstat");
  const begun = performance.now();
  await store.releaseLock("l", "holder");
  for (const [at, name] of names.entries()) {
    await waiting[at];
    await store.releaseLock("l", name);
  }
  expect(performance.now() - begun).toBeLessThan(3000); // by itself each would look within 5 s
  expect(order).toEqual(names);
  const asked = 1 + 2 * names.length;
  // A slow machine may have one look at the line again that was told that another may not come.
  expect(await scriptsRun()).toBeGreaterThanOrEqual(asked);
  expect(await scriptsRun()).toBeLessThan(asked + names.length);
  expect(await tokensIn(server)).toEqual([]);
});

test("the line is not overtaken, neither by who only tries nor by who would be content with less", async () => {
  await hold(store, "a", { slots: 2 });
  const alone = await line(server, store, "alone");
  const behind = await line(server, store, "behind", { slots: 2 });
  expect(await store.tryLock("l", request("b", { slots: 2 }))).toBeNull();
  await store.releaseLock("l", "a");
  const first = await granted(alone.grant);
  expect((await granted(behind.grant)).fence).toBeGreaterThan(first.fence);
});

test("the line gets all slots that are free at once", async () => {
  const slots = { slots: 3 };
  const holders = ["a", "b", "c"];
  for (const token of holders) await hold(store, token, slots);
  const waiting = await Promise.all(["d", "e", "f"].map((token) => line(server, store, token, slots)));
  const soon = { ttlMs: 50, withinMs: 1000 };
  await Promise.all(holders.map((token) => store.refreshLock("l", token, soon)));
  const grants = await Promise.all(waiting.map(({ grant }) => granted(grant)));
  expect(new Set(grants.map(({ fence }) => fence)).size).toBe(3);
  expect(await store.tryLock("l", request("g", slots))).toBeNull();
});

test("the line goes on as soon as a holder's time is up", async () => {
  await hold(store, "a");
  const next = await line(server, store, "b");
  const { expiresAt = 0 } = (await store.refreshLock("l", "a", { ttlMs: 100, withinMs: 1000 })) ?? {};
  const { fence } = await granted(next.grant);
  expect(numberToMs(fence)).toBeGreaterThanOrEqual(expiresAt); // a grant's number tells its time
  expect(numberToMs(fence)).toBeLessThan(expiresAt + 250);
});

test("the line learns that a holder's time will be up sooner than it was told", async () => {
  await hold(store, "a", { slots: 2 });
  await hold(store, "b", { slots: 2 });
  const [next, last] = [
    await line(server, store, "c", { slots: 2, ttlMs: 50 }),
    await line(server, store, "d"),
  ];
  const begun = performance.now();
  await store.refreshLock("l", "a", { ttlMs: 50, withinMs: 1000 });
  await granted(next.grant);
  await store.refreshLock("l", "b", { ttlMs: 50, withinMs: 1000 });
  await granted(last.grant);
  expect(performance.now() - begun).toBeLessThan(2000); // by itself it would look after 5 s
});

test("the line learns when the time of one who has just been served will be up", async () => {
  await hold(store, "a");
  const [next, last] = [await line(server, store, "b", { ttlMs: 50 }), await line(server, store, "c")];
  await store.releaseLock("l", "a");
  const { askedAt } = await granted(next.grant);
  await granted(last.grant);
  expect(performance.now() - askedAt).toBeLessThan(TURN_MS - 100); // it was told to look then
});

test("the line passes over whoever's connection is gone, at once, and does not count it", async () => {
  const way = await cuttableLine(server.port);
  const far = await openBoard(`redis://127.0.0.1:${way.port}`);
  await hold(store, "a");
  await line(server, far, "dead");
  const next = await line(server, store, "next");
  expect((await store.locks("l"))[0]?.waiting).toBe(2);
  way.cut();
  await until("the server has seen it", async () => (await store.locks("l"))[0]?.waiting === 1);
  await store.releaseLock("l", "a");
  await granted(next.grant);
  expect(await tokensIn(server)).toEqual([]);
});

test("the line passes over the dead also where somebody hears all channels", async () => {
  const raw = await RawRedis.connect(server.url);
  onTestFinished(() => raw.close());
  await raw.call("psubscribe", "*");
  const way = await cuttableLine(server.port);
  const far = await openBoard(`redis://127.0.0.1:${way.port}`);
  await hold(store, "a");
  await line(server, far, "dead");
  way.cut();
  await until("the server has seen it", async () => (await store.locks("l"))[0]?.waiting === 0);
  await store.releaseLock("l", "a");
  await hold(store, "b");
});

test("the line goes on after a clock that was put back, and after what means nothing", async () => {
  await hold(store, "a");
  const waiting = await line(server, store, "b");
  await server.cli("publish", `${ROOT}turn:b`, "soon");
  const later = String(Date.now() + 86_400_000);
  await server.cli("zadd", `${ROOT}line:l`, "0", "stopped");
  await server.cli("hset", `${ROOT}lock:l`, "w:stopped", `1 ${later} ${later}`);
  await store.releaseLock("l", "a");
  await granted(waiting.grant);
});

test("the line of the dead keeps nobody from what is free", async () => {
  const way = await cuttableLine(server.port);
  const far = await openBoard(`redis://127.0.0.1:${way.port}`);
  await hold(store, "a");
  await line(server, far, "dead");
  way.cut();
  await until("the server has seen it", async () => (await store.locks("l"))[0]?.waiting === 0);
  await store.releaseLock("l", "a");
  await hold(store, "b");
});

test("the line passes over a stopped process after a while, and a killed one at once; who comes back stands at its end", async () => {
  await hold(store, "a");
  const processes = [];
  for (const length of [1, 2]) {
    processes.push(waitingProcess(server.url));
    await until("it stands in line", async () => (await tokensIn(server)).length === length);
  }
  const [killed, stopped] = processes;
  const [next, last] = [await line(server, store, "next"), await line(server, store, "last")];
  killed?.process.kill("SIGKILL");
  await killed?.ended;
  stopped?.process.kill("SIGSTOP");
  const released = performance.now();
  await store.releaseLock("l", "a");
  expect(await store.tryLock("l", request("hasty"))).toBeNull(); // it may still take it
  await granted(next.grant);
  const passedAfterMs = performance.now() - released;
  expect(passedAfterMs).toBeGreaterThanOrEqual(TURN_MS - 5);
  expect(passedAfterMs).toBeLessThan(2 * TURN_MS);
  stopped?.process.kill("SIGCONT");
  await until("it stands in line again", async () => (await tokensIn(server)).length === 2);
  expect((await tokensIn(server))[0]).toBe("last");
  await store.releaseLock("l", "next");
  await granted(last.grant);
  await store.releaseLock("l", "last");
  await until("it has the lock", () => stopped?.stdout().toString().startsWith("has "));
  stopped?.process.stdin?.end();
  expect((await stopped?.ended)?.exitCode).toBe(0);
  expect(await store.locks(null)).toEqual([]);
});

test("the line is left by whoever is told to stop, before or while it waits", async () => {
  await hold(store, "a");
  const early = wait(store, "early");
  early.stop();
  expect(await early.grant).toBeNull();
  const late = await line(server, store, "late");
  const next = await line(server, store, "next");
  late.stop();
  expect(await late.grant).toBeNull();
  expect(await tokensIn(server)).toEqual(["next"]);
  await store.releaseLock("l", "a");
  await granted(next.grant);
});

test("what was granted in the moment of stopping is given back", async () => {
  for (let round = 0; round < 20; round++) {
    await hold(store, "a");
    const waiting = await line(server, store, "b");
    const releasing = store.releaseLock("l", "a");
    if (round % 2 === 0) await releasing;
    waiting.stop();
    const grant = await waiting.grant;
    await releasing;
    expect((await store.locks("l")).length).toBe(grant === null ? 0 : 1);
    await store.releaseLock("l", "b");
  }
});

test("the line ends with the store, which leaves no connection behind", async () => {
  const other = await openBoard(server.url);
  await hold(store, "a");
  const waiting = await line(server, other, "b");
  await other.close();
  await expect(within("its end", waiting.grant, 2000)).rejects.toMatchObject({ kind: "usage" });
  const clients = async () => (await server.cli("client", "list")).match(/sub=1/g)?.length ?? 0;
  await until("its connection is gone", async () => (await clients()) === 0);
  await expect(
    other.awaitLock("l", request("c"), { signal: AbortSignal.abort(), onState: () => {} }),
  ).rejects.toMatchObject({
    kind: "usage",
  });
});
