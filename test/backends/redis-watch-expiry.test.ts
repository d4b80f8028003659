/** Expiries on a real server: logged in time, once, whoever follows. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseRedisUrl } from "../../src/core/redis-url.ts";
import { openBoard } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { set, watch } from "./redis-watch-world.ts";

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(() => server.cli("flushall"));
afterAll(() => server.stop());

const logged = () => server.cli("xlen", "timmy-bb:{timmy}:changes");

test("comes in time although nobody touches the board, and once, however many follow", async () => {
  const writer = await openBoard(server.url);
  const stores = await Promise.all(Array.from({ length: 20 }, () => openBoard(server.url)));
  const watches = await Promise.all(stores.map((store) => watch(store, { patterns: ["k*"] })));
  const begun = performance.now();
  await set(writer, "k1", "1", 300);
  await set(writer, "k2", "2", 150);
  const expected = ["set k1 1 me", "set k2 2 me", "expired k2 -", "expired k1 -"];
  for (const { words } of watches) expect(await words(4)).toEqual(expected);
  expect(performance.now() - begun).toBeLessThan(300 + 1000);
  expect(await logged()).toBe("4");
});

test("a time to live that is shortened, or taken away, is heard of", async () => {
  const store = await openBoard(server.url);
  const { words } = await watch(store, { patterns: ["k*"] });
  await set(store, "k1", "1", 60_000);
  await set(store, "k2", "2", 60_000);
  await set(store, "k3", "3", 200);
  await store.expire("timmy:k2", 100);
  await store.expire("timmy:k3", null);
  expect(await words(4)).toEqual(["set k1 1 me", "set k2 2 me", "set k3 3 me", "expired k2 -"]);
  await until(
    "the third to have outlived its first time",
    async () => (await store.ttl("timmy:k3")) === null,
  );
});

test("a foreign client's key that expires comes once, after what was before and before what comes after", async () => {
  const stores = await Promise.all([1, 2, 3].map(() => openBoard(server.url)));
  const watches = await Promise.all(stores.map((store) => watch(store, { patterns: ["k*"] })));
  await server.cli("set", "timmy:k1", "x", "px", "50");
  await until("it to be gone", async () => (await server.cli("exists", "timmy:k1")) === "0");
  await server.cli("set", "timmy:k1", "y", "px", "50");
  for (const { words } of watches) {
    expect(await words(4)).toEqual(["set k1 ?", "expired k1 ?", "set k1 ?", "expired k1 ?"]);
  }
  expect(await logged()).toBe("0");
});

test("ours, noticed by a foreign client's read or overwritten after its time, is in the log once", async () => {
  const store = await openBoard(server.url);
  const { wordsUpTo, words } = await watch(store, { patterns: ["k*"] });
  await set(store, "k1", "1", 50);
  await until("the foreign client to see it gone", async () => (await server.cli("get", "timmy:k1")) === "");
  await set(store, "k1", "2");
  await set(store, "k-end", "");
  expect(await wordsUpTo("k-end")).toEqual(["set k1 1 me", "expired k1 -", "set k1 2 me"]);
  await set(store, "k2", "1", 300);
  await server.cli("del", "timmy:k2"); // it does not expire any more
  await set(store, "k3", "1", 400);
  expect(await words(4)).toEqual(["set k2 1 me", "del k2 ?", "set k3 1 me", "expired k3 -"]);
});

test("more than one script logs: all of them come", async () => {
  const store = await openBoard(server.url);
  const many = 350;
  const { take } = await watch(store, { patterns: ["k*"] });
  await Promise.all(Array.from({ length: many }, (_, at) => set(store, `k${at}`, "x", 200)));
  const items = await take(2 * many);
  const expired = items.filter((item) => !("gap" in item) && item.event === "expired");
  expect(expired).toHaveLength(many);
  expect(await logged()).toBe(String(2 * many));
});

test("what expired while no one followed is logged when one comes, and not before that one's beginning", async () => {
  const store = await openBoard(server.url);
  await set(store, "k1", "1", 30);
  await until("it to be gone", async () => (await server.cli("exists", "timmy:k1")) === "0");
  const { words } = await watch(store, { patterns: ["k*"] });
  expect(await words(1)).toEqual(["expired k1 -"]);
});

test("what is overdue is logged before changes are replayed", async () => {
  const store = await openBoard(server.url);
  await set(store, "k1", "1", 30);
  await until("it to be gone", async () => (await server.cli("exists", "timmy:k1")) === "0");
  const { words } = await watch(store, { patterns: ["k*"] }, { from: { last: Infinity }, live: false });
  expect(await words(9)).toEqual(["set k1 1 me", "expired k1 -"]);
});

test("another database's board of the same prefix has expiries of its own", async () => {
  const store = await openBoard(server.url);
  const elsewhere = await openBoard(server.url, { address: parseRedisUrl(`${server.url}/1`) });
  await server.cli("config", "set", "notify-keyspace-events", "");
  const { words } = await watch(store, { patterns: ["k*"] });
  await set(store, "k1", "1", 300);
  await set(elsewhere, "k1", "1", 3_600_000);
  expect(await words(2)).toEqual(["set k1 1 me", "expired k1 -"]);
  await server.cli("config", "set", "notify-keyspace-events", "K$gx");
});

test("thousands of foreign keys that expire at once are all told, to all who follow", async () => {
  const stores = await Promise.all(Array.from({ length: 10 }, () => openBoard(server.url)));
  const watches = await Promise.all(stores.map((store) => watch(store, { patterns: ["k*"] })));
  const many = 3000;
  const lines = Array.from({ length: many }, (_, at) => `set timmy:k${at} x px 1\n`).join("");
  await server.cliBytes([], lines);
  for (const { take } of watches) {
    const items = await take(2 * many);
    expect(items.filter((item) => !("gap" in item) && item.event === "expired")).toHaveLength(many);
  }
});
