/** Locks whose server goes away and comes back. */
import { expect, onTestFinished, test } from "vitest";
import { openBoard } from "../helpers/redis-board.ts";
import { until, within } from "../helpers/until.ts";
import { lossyLine } from "./redis-consumer-world.ts";
import { granted, hold, line, request, tokensIn, wait } from "./redis-lock-world.ts";
import { start } from "./redis-world.ts";

test.each([
  ["keeps its data", true],
  ["loses its data", false],
])(
  "numbers grow, and who waits goes on, over a server that is started again and %s",
  async (_what, appendonly) => {
    const server = await start({ appendonly });
    const store = await openBoard(server.url);
    const { fence } = await hold(store, "a");
    const waiting = [await line(server, store, "b"), await line(server, store, "c")];
    await server.restart();
    await until("they are back", () => waiting.every(({ states }) => states.length >= 2));
    const states = waiting.map((one) => one.states.map(({ state }) => state));
    expect(states).toEqual([
      ["away", "back"],
      ["away", "back"],
    ]);
    const kept = await store.refreshLock("l", "a", { ttlMs: null, withinMs: 1000 });
    expect(kept?.fence).toBe(appendonly ? fence : undefined);
    await store.releaseLock("l", "a");
    const [first, second] = waiting.map(async ({ grant }, at) => {
      const found = await granted(grant);
      await store.releaseLock("l", ["b", "c"][at] ?? "");
      return found.fence;
    });
    const fences = await Promise.all([first, second]);
    for (const number of fences) expect(number).toBeGreaterThan(fence);
    if (appendonly) expect(fences[0]).toBeLessThan(fences[1] ?? 0); // else the line is lost, too
  },
);

test("who waits goes on over connections that are dropped, and keeps its place", async () => {
  const server = await start();
  const store = await openBoard(server.url);
  await hold(store, "a");
  const [first, last] = [await line(server, store, "b"), await line(server, store, "c")];
  for (const type of ["pubsub", "normal", "pubsub"]) {
    const told = first.states.length;
    await server.cli("client", "kill", "type", type);
    if (type === "pubsub") await until("it is back", () => first.states.length === told + 2);
  }
  await until("both listen again", async () => (await store.locks("l"))[0]?.waiting === 2);
  expect(await tokensIn(server)).toEqual(["b", "c"]);
  await store.releaseLock("l", "a");
  await granted(first.grant);
  await store.releaseLock("l", "b");
  await granted(last.grant);
});

test("a server that does not answer is away, and when it answers again the waiting goes on", async () => {
  const server = await start();
  const store = await openBoard(server.url, { timeoutMs: 300 });
  await hold(store, "a");
  const waiting = await line(server, store, "b");
  server.pause();
  onTestFinished(() => server.resume());
  await until("it is away", () => waiting.states.length === 1);
  const late = store.refreshLock("l", "a", { ttlMs: null, withinMs: 50 });
  const begun = performance.now();
  await expect(late).rejects.toMatchObject({ kind: expect.stringMatching(/^un/) });
  expect(performance.now() - begun).toBeLessThan(250);
  server.resume();
  await until("it is back", () => waiting.states.length === 2);
  await store.releaseLock("l", "a");
  await granted(waiting.grant);
  expect(waiting.states).toMatchObject([{ state: "away" }, { state: "back", recovered: 0 }]);
});

test("who is told to stop while the server does not answer stops all the same", async () => {
  const server = await start();
  const store = await openBoard(server.url, { timeoutMs: 60_000 });
  await hold(store, "a");
  const waiting = await line(server, store, "b");
  server.pause();
  onTestFinished(() => server.resume());
  const begun = performance.now();
  waiting.stop();
  expect(await waiting.grant).toBeNull();
  expect(performance.now() - begun).toBeLessThan(3000);
  server.resume();
  await until("the server has heard of it", async () => (await tokensIn(server)).length === 0);
});

test("who stops waiting while a question of its has no answer is told that it may hold the lock", async () => {
  const server = await start();
  const store = await openBoard(server.url, { timeoutMs: 1000 });
  const { expiresAt } = await hold(store, "a", { ttlMs: 500 });
  const waiting = await line(server, store, "b");
  server.pause();
  onTestFinished(() => server.resume());
  await until("it has asked", () => Date.now() > expiresAt + 100);
  waiting.stop();
  await expect(waiting.grant).rejects.toMatchObject({ kind: "unknown" });
});

test("a grant whose answer was lost is there for the same token", async () => {
  const server = await start();
  const way = await lossyLine(server.port);
  const store = await openBoard(`redis://127.0.0.1:${way.port}`);
  way.loseNextAnswer();
  await expect(store.tryLock("l", request("a"))).rejects.toMatchObject({ kind: "unknown" });
  const seen = (await store.locks("l"))[0]?.holders[0]?.fence;
  expect((await hold(store, "a")).fence).toBe(seen);
});

test("who waits and does not hear the answer asks again, and holds but once", async () => {
  const server = await start();
  const way = await lossyLine(server.port);
  const far = await openBoard(`redis://127.0.0.1:${way.port}`);
  const store = await openBoard(server.url);
  for (let round = 0; round < 5; round++) {
    await hold(store, "a");
    const waiting = await line(server, far, `b${round}`);
    way.loseNextAnswer(); // of being told, or of asking then
    await store.releaseLock("l", "a");
    const { fence } = await granted(waiting.grant);
    expect((await store.locks("l"))[0]?.holders.map((holder) => holder.fence)).toEqual([fence]);
    expect(await store.releaseLock("l", `b${round}`)).toBe(true);
  }
});

test("a server that is not there yet is waited for", async () => {
  const server = await start();
  const store = await openBoard(server.url);
  await server.kill();
  const waiting = wait(store, "a");
  await until("it says so", () => waiting.states.length === 1);
  await server.restart();
  await within("the lock", granted(waiting.grant));
});
