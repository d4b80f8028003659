/** A follower of keys over lost connections, restarts and retention: what is in the log comes, the rest is told. */
import { expect, test } from "vitest";
import { idToNumber } from "../../src/core/ids.ts";
import { openBoard } from "../helpers/redis-board.ts";
import { until } from "../helpers/until.ts";
import { set, watch } from "./redis-watch-world.ts";
import { cuttableLine, start } from "./redis-world.ts";

const KEEPING = (changes: number) => ({ messagesPerChannel: 10, changes, maxAgeMs: 86_400_000 });

test("goes on from the log where it was: nothing missed, nothing twice, expiries included", async () => {
  const server = await start();
  const line = await cuttableLine(server.port);
  const store = await openBoard(`redis://127.0.0.1:${line.port}`);
  const writer = await openBoard(server.url);
  const { words, states } = await watch(store, { patterns: ["k*"] });
  await set(writer, "k1", "1");
  expect(await words(1)).toEqual(["set k1 1 me"]);
  line.cut();
  await until("it to notice", () => states.some(({ state }) => state === "away"));
  await set(writer, "k1", "2");
  await set(writer, "other", "x");
  await set(writer, "k2", "3", 20);
  await writer.del(["timmy:k1"], { agent: "me" });
  await until("the key to be gone", async () => (await writer.exists(["timmy:k2"])) === 0);
  line.mend();
  await until("it to be back", () => states.some(({ state }) => state === "back"));
  await set(writer, "k4", "4");
  const missed = ["set k1 2 me", "set k2 3 me", "del k1 me", "expired k2 -", "set k4 4 me"];
  expect(await words(5)).toEqual(missed);
  expect(states.at(-1)).toMatchObject({ state: "back", recovered: 4 });
});

test("what was there before it was ready never comes, though its connection is lost at that very moment", async () => {
  const server = await start();
  const line = await cuttableLine(server.port);
  const store = await openBoard(`redis://127.0.0.1:${line.port}`);
  const writer = await openBoard(server.url);
  await store.get("timmy:k");
  for (let round = 0; round < 5; round++) {
    await set(writer, "before", `${round}`);
    const { words, close } = await watch(store, { patterns: ["*"] });
    line.cut();
    line.mend();
    await set(writer, "after", `${round}`);
    expect(await words(1)).toEqual([`set after ${round} me`]);
    await close();
  }
});

test("begins behind an id, with the newest, or with all; alone it ends", async () => {
  const server = await start();
  const store = await openBoard(server.url);
  const ids: string[] = [];
  for (const [at, key] of ["k1", "other", "k2", "k1", "other"].entries())
    ids.push(await set(store, key, `${at}`));
  const from = async (start: Parameters<typeof watch>[2]) =>
    (await watch(store, { patterns: ["k*"] }, { live: false, ...start })).words(Infinity);
  const all = ["set k1 0 me", "set k2 2 me", "set k1 3 me"];
  expect(await from({ from: { last: Infinity } })).toEqual(all);
  expect(await from({ from: { last: 2 } })).toEqual(all.slice(1));
  expect(await from({ from: { last: 0 } })).toEqual([]);
  expect(await from({ from: { after: idToNumber(ids[2] ?? "") ?? 0 } })).toEqual(all.slice(2));
  expect(await from({ from: { agoMs: 60_000 } })).toEqual(all);
  const live = await watch(store, { patterns: ["k*"] }, { from: { last: 1 } });
  await set(store, "k9", "9");
  expect(await live.words(2)).toEqual(["set k1 3 me", "set k9 9 me"]);
});

test("says where retention was faster, whichever keys that were of; and only there", async () => {
  const server = await start();
  const store = await openBoard(server.url, { history: KEEPING(5) });
  const first = await set(store, "k1", "0");
  for (let at = 1; at <= 3; at++) await set(store, `other${at}`, "x");
  const since = { from: { after: idToNumber(first) ?? 0 }, live: false };
  const replayed = async () => (await watch(store, { keys: ["k1"] }, since)).words(Infinity);
  await set(store, "k1", "1");
  expect(await replayed()).toEqual(["set k1 1 me"]);
  for (let at = 1; at <= 3; at++) await set(store, `other${at}`, "x");
  expect(await replayed()).toEqual(["gap null before", "set k1 1 me"]);
  for (let at = 1; at <= 6; at++) await set(store, `other${at}`, "x");
  expect(await replayed()).toEqual(["gap null before"]);
  expect(await (await watch(store, { keys: ["k1"] }, { from: { last: 3 }, live: false })).words(9)).toEqual(
    [],
  );
});

test("without a kept log changes come live, and what was missed is told", async () => {
  const server = await start();
  const line = await cuttableLine(server.port);
  const history = KEEPING(0);
  const store = await openBoard(`redis://127.0.0.1:${line.port}`, { history });
  const writer = await openBoard(server.url, { history });
  const { words, states } = await watch(store, { keys: ["k"] });
  await set(writer, "k", "1");
  expect(await words(1)).toEqual(["set k 1 me"]);
  line.cut();
  await until("it to notice", () => states.some(({ state }) => state === "away"));
  await set(writer, "k", "2");
  line.mend();
  await until("it to be back", () => states.some(({ state }) => state === "back"));
  await set(writer, "k", "3");
  expect(await words(2)).toEqual(["gap null to the end", "set k 3 me"]);
});

test("a loop that stands still costs no memory and misses nothing", async () => {
  const server = await start();
  const history = KEEPING(100_000);
  const store = await openBoard(server.url, { history });
  const writer = await openBoard(server.url, { history });
  const { take } = await watch(store, { patterns: ["k*"] });
  const count = 1500; // of 60 kB: 90 MB, and the inbox holds 4 MiB
  const before = process.memoryUsage().rss;
  for (let at = 0; at < count; at++) await set(writer, `k${at % 10}`, String(at).padEnd(60_000, "."));
  expect(process.memoryUsage().rss - before).toBeLessThan(80 * 1024 * 1024);
  const items = await take(count);
  const numbers = items.map((item) => ("gap" in item ? -1 : Number.parseInt(String(item.value), 10)));
  expect(numbers).toEqual(Array.from({ length: count }, (_, at) => at));
});

test("a server that lost its data: what it logs from then on comes", async () => {
  const server = await start();
  const store = await openBoard(server.url);
  const { words, states } = await watch(store, { keys: ["k"] });
  await set(store, "k", "1");
  expect(await words(1)).toEqual(["set k 1 me"]);
  await server.restart();
  await until("it to be back", () => states.some(({ state }) => state === "back"));
  await set(store, "k", "2");
  expect(await words(1)).toEqual(["set k 2 me"]);
});
