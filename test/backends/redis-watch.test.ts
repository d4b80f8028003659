/** Following keys on a real server, together with clients that know nothing of timmy-bb. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseRedisUrl } from "../../src/core/redis-url.ts";
import { bytes, openBoard, plainly } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { set, watch } from "./redis-watch-world.ts";

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(() => server.cli("flushall"));
afterAll(() => server.stop());

test("changes of ours come once, with value, author and id; what only concerns the time to live is none", async () => {
  const store = await openBoard(server.url);
  const { take } = await watch(store, { patterns: ["k*"] });
  const id = await set(store, "k1", "two\nlines", 60_000);
  await set(store, "other", "x");
  await store.expire("timmy:k1", 30_000);
  await store.expire("timmy:k1", null);
  await store.incr("timmy:k2", 5n, "you");
  await store.set("timmy:k1", bytes("x"), {
    ttlMs: "keep",
    condition: { if: "absent" },
    fence: null,
    agent: "me",
  });
  await store.del(["timmy:k1", "timmy:none"], { agent: "me" });
  const [first, second, third] = await take(3);
  const at = expect.any(Number);
  const value = bytes("two\nlines");
  expect(first).toEqual({
    event: "set",
    key: "timmy:k1",
    value,
    size: 9,
    id,
    by: "me",
    at,
    isInitial: false,
  });
  expect(second).toMatchObject({ event: "set", key: "timmy:k2", value: bytes("5"), by: "you" });
  expect(third).toMatchObject({ event: "del", key: "timmy:k1", value: null, size: null, by: "me" });
});

test("a foreign client's changes come once, ours are never taken for foreign", async () => {
  const store = await openBoard(server.url);
  const { wordsUpTo } = await watch(store, { keys: ["exact"], patterns: ["k*", "?1", "k[1-9]"] });
  await set(store, "k1", "ours");
  for (const line of ["set timmy:k1 a", "append timmy:k1 b", "setrange timmy:k1 0 c", "incr timmy:k2"]) {
    await server.cli(...line.split(" "));
  }
  await server.cli("mset", "timmy:exact", "1", "timmy:k3", "2", "timmy:unseen", "3");
  await server.cli("rename", "timmy:k3", "timmy:k4");
  await server.cli("expire", "timmy:k4", "100");
  await server.cli("persist", "timmy:k4");
  await server.cli("getdel", "timmy:k4");
  await server.cli("expire", "timmy:exact", "-1");
  await server.cli("copy", "timmy:k1", "timmy:k5");
  await store.incr("timmy:k2", 1n, "me");
  await store.del(["timmy:k1", "timmy:k5"], { agent: "me" });
  await set(store, "k-end", "");
  expect(await wordsUpTo("k-end")).toEqual([
    "set k1 ours me",
    ...["set k1 ?", "set k1 ?", "set k1 ?", "set k2 ?", "set exact ?", "set k3 ?"],
    ...["del k3 ?", "set k4 ?", "del k4 ?", "del exact ?", "set k5 ?"],
    ...["set k2 2 me", "del k1 me", "del k5 me"],
  ]);
});

test("thousands of changes of one key from three connections at once: each once, none taken for another", async () => {
  const store = await openBoard(server.url);
  const other = await openBoard(server.url);
  const { wordsUpTo } = await watch(store, { patterns: ["k*", "*1"] });
  const each = 2000;
  const taken = wordsUpTo("k-end");
  const numbers = Array.from({ length: each }, (_, at) => at);
  const foreign = server.cliBytes([], numbers.map(() => "set timmy:k1 foreign\n").join(""));
  await Promise.all([
    ...numbers.map((at) => set(store, "k1", `one-${at}`, 60_000)),
    ...numbers.map((at) => other.set("timmy:k1", bytes(`two-${at}`), { ...plainly, agent: "two" })),
    foreign,
  ]);
  await set(store, "k-end", "");
  const words = await taken;
  const by = (agent: string) => words.filter((one) => one.endsWith(` ${agent}`));
  expect(by("me")).toEqual(numbers.map((at) => `set k1 one-${at} me`));
  expect(by("two")).toEqual(numbers.map((at) => `set k1 two-${at} two`));
  expect(by("?")).toEqual(numbers.map(() => "set k1 ?"));
  expect(words).toHaveLength(3 * each);
});

test("an increment that fails announces nothing that would hide a foreign change behind it", async () => {
  const store = await openBoard(server.url);
  const { words } = await watch(store, { keys: ["k"] });
  await set(store, "k", "text");
  await expect(store.incr("timmy:k", 1n, "me")).rejects.toMatchObject({ kind: "conflict" });
  await server.cli("set", "timmy:k", "foreign");
  await set(store, "k", "again");
  expect(await words(3)).toEqual(["set k text me", "set k ?", "set k again me"]);
});

test("a server that tells nothing of foreign changes is said once; ours come all the same", async () => {
  const quiet = await RedisServer.start({ settings: ["--notify-keyspace-events", ""] });
  try {
    const store = await openBoard(quiet.url);
    const { words, states } = await watch(store, { keys: ["k"] });
    await until("it to be said", () => states.length > 0);
    expect(states).toEqual([
      { state: "partial", store: "redis", reason: expect.stringMatching(/lacks K\$g; it should be K\$gx/) },
    ]);
    await quiet.cli("set", "timmy:k", "foreign");
    await set(store, "k", "ours", 200);
    expect(await words(2)).toEqual(["set k ours me", "expired k -"]);
    await quiet.cli("client", "kill", "type", "pubsub");
    await until("it to be back", () => states.some(({ state }) => state === "back"));
    expect(states.filter(({ state }) => state === "partial")).toHaveLength(1);
    await quiet.cli("config", "set", "notify-keyspace-events", "K$");
    const half = await watch(store, { keys: ["k"] });
    await until("it to be said", () => half.states.length > 0);
    expect(half.states).toMatchObject([{ reason: expect.stringContaining("lacks Kg;") }]);
    await quiet.cli("config", "set", "notify-keyspace-events", "K$g");
    const nearly = await watch(store, { keys: ["k"] });
    await until("it to be said", () => nearly.states.length > 0);
    expect(nearly.states).toMatchObject([{ reason: expect.stringContaining("lacks x;") }]);
  } finally {
    await quiet.stop();
  }
});

test("the same prefix in another database is another board, and other prefixes are others' business", async () => {
  const store = await openBoard(server.url);
  const elsewhere = await openBoard(server.url, { address: parseRedisUrl(`${server.url}/1`) });
  const other = await openBoard(server.url, { prefix: "timmy2" });
  const { wordsUpTo } = await watch(store, { patterns: ["*"] });
  await set(elsewhere, "k", "elsewhere");
  await server.cli("-n", "1", "set", "timmy:k", "foreign");
  await other.set("timmy2:k", bytes("other"), plainly);
  await store.publish("timmy:k", bytes("a message"), "me");
  await set(store, "end", "");
  expect(await wordsUpTo("end")).toEqual([]);
});

test("without a prefix everything is seen, bookkeeping never is", async () => {
  const store = await openBoard(server.url, { prefix: "" });
  const timmy = await openBoard(server.url);
  const { wordsUpTo } = await watch(store, { patterns: ["*"] }, {}, "");
  await store.set("a", bytes("1"), plainly);
  await set(timmy, "b", "2"); // another board's, so a foreign client's
  await timmy.publish("timmy:c", bytes("3"), "me");
  await store.set("end", bytes(""), plainly);
  expect(await wordsUpTo("end")).toEqual(["set a 1 me", "set timmy:b ?"]);
});

test("values over 64 KiB come without the value, with their size", async () => {
  const store = await openBoard(server.url);
  const { take } = await watch(store, { keys: ["k"] });
  await set(store, "k", "x".repeat(65_536));
  await set(store, "k", "x".repeat(65_537));
  const [kept, large] = await take(2);
  expect(kept).toMatchObject({ size: 65_536, value: bytes("x".repeat(65_536)) });
  expect(large).toMatchObject({ size: 65_537, value: null });
  expect(await store.read(["timmy:k"], 65_536)).toMatchObject([{ value: null, size: 65_537 }]);
  expect((await store.read(["timmy:k"], Infinity))[0]?.value).toHaveLength(65_537);
});

test("watchers count as followers, and not as listeners of channels", async () => {
  const store = await openBoard(server.url);
  await watch(store, { patterns: ["*"] });
  expect((await store.status()).stores[0]?.followers).toBe(1);
  expect((await store.publish("timmy:c", bytes("x"), "me")).receivers).toBe(0);
  expect(await store.channels("timmy:*")).toMatchObject([{ channel: "timmy:c", followers: 0 }]);
});
