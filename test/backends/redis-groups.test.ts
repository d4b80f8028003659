/**
 * Writes and messages that are asked for in one go travel in groups. Nobody sees that: it is as if each had gone by itself, in the order in which
 * they were asked for.
 */
import { connect } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import { randomOf } from "../helpers/random.ts";
import { RawRedis } from "../helpers/raw-redis.ts";
import { bytes, follow, openBoard, plainly, taker } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until, within } from "../helpers/until.ts";
import { cuttableLine } from "./redis-world.ts";

const ROOT = "timmy-bb:{timmy}:";
let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(() => server.cli("flushall"));
afterAll(() => server.stop());

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

/** Kind, key and value of each entry of the log of changes. */
async function changes(): Promise<string[]> {
  const lines = (await server.cli("xrange", `${ROOT}changes`, "-", "+")).split("\n");
  const after = (at: number, name: string): string => {
    const found = lines.indexOf(name, at);
    return found >= 0 && found < at + 10 ? (lines[found + 1] ?? "") : "";
  };
  return lines.flatMap((line, at) =>
    line === "kind" ? [`${lines[at + 1]} ${lines[at + 3]} ${after(at, "value")}`] : [],
  );
}

/** What another client hears that follows everything of the board and knows nothing of timmy-bb. */
async function listen(pattern: string): Promise<() => string> {
  const socket = connect({ path: server.socketPath });
  onTestFinished(() => void socket.destroy());
  let heard = "";
  socket.setEncoding("latin1").on("data", (text) => {
    heard += text;
  });
  socket.write(`PSUBSCRIBE ${pattern}\r\n`);
  await until("the subscription", () => heard.includes(":1\r\n"));
  return () => heard;
}

type Deed = readonly [done: Promise<unknown>, expected: unknown];

/** A random deed on few keys; what it must return, if all before it is done. */
function deed(
  store: RedisStore,
  random: (below: number) => number,
  held: Map<string, string>,
  at: number,
): Deed {
  const key = `timmy:k${random(5)}`;
  const value = `${at}`;
  const agent = random(20) === 0 ? "you" : "me";
  const write = (): void => void held.set(key, value);
  switch (random(16)) {
    case 0:
      return [store.get(key).then((found) => found?.toString()), held.get(key)];
    case 1: {
      const isAbsent = !held.has(key);
      if (isAbsent) write();
      const how = { ...plainly, agent, condition: { if: "absent" } } as const;
      return [store.set(key, bytes(value), how).then(({ written }) => written), isAbsent];
    }
    case 2: {
      held.set("timmy:n", String(Number(held.get("timmy:n") ?? 0) + 1));
      return [store.incr("timmy:n", 1n, agent).then(String), held.get("timmy:n")];
    }
    case 3:
      return [store.del([key], { agent }), held.delete(key) ? 1 : 0];
    case 4:
    case 5:
    case 6:
      return [store.publish("timmy:c", bytes(value), agent).then(({ receivers }) => receivers), 2];
    default: {
      write();
      const ttlMs = ([null, 60_000, "keep"] as const)[random(3)] ?? null;
      return [
        store.set(key, bytes(value), { ...plainly, agent, ttlMs }).then(({ written }) => written),
        true,
      ];
    }
  }
}

test("a random program of 5,000 deeds, asked for in one go, is as one after the other", async () => {
  const history = { messagesPerChannel: 10_000, changes: 10_000, maxAgeMs: 60_000 };
  const store = await openBoard(server.url, { history });
  const { take } = await follow(store, { channels: ["timmy:c"] });
  const follower = store.follow(
    { keys: [], patterns: ["timmy:*"] },
    { onState: () => {}, from: null, live: true },
  );
  await within("the watcher to be ready", follower.ready);
  const heard = await listen("timmy:*");
  const random = randomOf(Date.now() % 100_000);
  const held = new Map<string, string>();
  const deeds = numbers(5000).map((at) => deed(store, random, held, at));
  expect(await Promise.all(deeds.map(([done]) => done))).toEqual(deeds.map(([, expected]) => expected));

  for (const [key, value] of held) expect([key, await server.cli("get", key)]).toEqual([key, value]);
  const log = await changes();
  const sent = (await server.cli("xrange", `${ROOT}channel:timmy:c`, "-", "+")).split("\n");
  const payloads = sent.flatMap((line, at) => (line === "payload" ? [sent[at + 1]] : []));
  const inOrder = [...payloads].sort((one, other) => Number(one) - Number(other));
  expect(payloads).toEqual(inOrder); // each deed carries its place as its value
  const sets = log.filter((line) => /^set timmy:k/.test(line)).map((line) => Number(line.split(" ")[2]));
  expect(sets).toEqual([...sets].sort((one, other) => one - other));

  expect((await take(payloads.length)).map(({ payload }) => payload.toString())).toEqual(payloads);
  const watched = await taker(follower)(log.length);
  const told = watched.map((one) => ("gap" in one ? "gap" : `${one.event} ${one.key} ${one.value ?? ""}`));
  expect(told).toEqual(log);
  await until(
    "another client has heard all",
    () => heard().split("\r\ntimmy:c\r\n").length > payloads.length,
  );
  const foreign = [...heard().matchAll(/\r\ntimmy:c\r\n\$\d+\r\n(\d+)\r\n/g)].map(([, payload]) => payload);
  expect(foreign).toEqual(payloads);
});

test("they travel in few scripts, even if each begins when another one has ended", async () => {
  const store = await openBoard(server.url);
  await server.cli("config", "resetstat");
  const client = async (name: number): Promise<void> => {
    for (let at = 0; at < 5; at++) await store.set(`timmy:${name}`, bytes(`${at}`), plainly);
  };
  await Promise.all(numbers(640).map(client));
  const stats = await server.cli("info", "commandstats");
  const calls = [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].map(([, count]) => Number(count));
  expect(calls.reduce((sum, count) => sum + count, 0)).toBeLessThan(80);
  expect(await changes()).toHaveLength(3200);
});

test("one that the server refuses fails alone", async () => {
  const rights = `on >pw +@all ~${ROOT}* ~timmy:probe ~timmy:mine* &*`;
  await server.cli("acl", "setuser", "part", "reset", ...rights.split(" "));
  const store = await openBoard(server.url.replace("//", "//part:pw@"));
  await server.cli("zadd", `${ROOT}expiries`, "1", "timmy:other1"); // due, and not for this user
  const name = (at: number): string => (at % 3 === 1 ? `timmy:other${at}` : `timmy:mine${at}`);
  const heard = await listen(`${ROOT.replace("{", "\\{")}change:*`);
  const outcomes = await Promise.allSettled(
    numbers(100).map((at) => store.set(name(at), bytes("v"), plainly)),
  );
  const mine = numbers(100).filter((at) => at % 3 !== 1);
  for (const [at, outcome] of outcomes.entries()) {
    if (mine.includes(at)) expect(outcome).toMatchObject({ status: "fulfilled", value: { written: true } });
    else expect(outcome).toMatchObject({ status: "rejected", reason: { kind: "config" } });
  }
  expect(await changes()).toEqual(mine.map((at) => `set ${name(at)} v`));
  expect((await server.cli("keys", "timmy:other*")).trim()).toBe("");
  await until("the last is told", () => heard().includes(`${name(99)}\r\n$`));
  expect(heard().split("change:timmy:other1\r\n")[2]).toMatch(/^\$1\r\n-\r\n/); // announced, then called off
  const ids = outcomes.flatMap((one) =>
    one.status === "fulfilled" && one.value.written ? [one.value.id] : [],
  );
  const logged = (await server.cli("xrange", `${ROOT}changes`, "-", "+")).split("\n");
  expect(logged.filter((line) => /^\d{13}-\d+$/.test(line))).toEqual(ids);
});

test("a full server refuses all of them, and nothing has happened", async () => {
  const store = await openBoard(server.url);
  await store.set("timmy:before", bytes("v"), plainly);
  await server.cli("config", "set", "maxmemory", "1");
  onTestFinished(async () => {
    await server.cli("config", "set", "maxmemory", "0");
  });
  const sets = numbers(50).map((at) => store.set(`timmy:${at}`, bytes("v"), plainly));
  const deleted = store.del(["timmy:before"], { agent: "me" }); // frees memory: that works
  const outcomes = await Promise.allSettled([...sets, store.publish("timmy:c", bytes("x"), "me")]);
  for (const one of outcomes) expect(one).toMatchObject({ reason: { kind: "unavailable" } });
  expect(await deleted).toBe(1);
  expect(await changes()).toEqual(["set timmy:before v", "del timmy:before "]);
  await server.cli("config", "set", "maxmemory", "0");
  expect(
    await Promise.all(numbers(50).map((at) => store.set(`timmy:${at}`, bytes("v"), plainly))),
  ).toHaveLength(50);
});

test("a connection cut in the middle: what was answered is there, all else is unknown, nothing is doubled", async () => {
  const line = await cuttableLine(server.port);
  const store = await openBoard(`redis://127.0.0.1:${line.port}`);
  const written: number[] = [];
  const kinds = new Set<unknown>();
  const asked = numbers(20_000).map((at) =>
    store.set(`timmy:${at}`, bytes("v"), plainly).then(
      () => {
        written.push(at);
        if (written.length === 2000) line.cut();
      },
      (error: { kind?: unknown }) => void kinds.add(error.kind),
    ),
  );
  await Promise.all(asked);
  expect([...kinds]).toEqual(["unknown"]);
  expect(written.length).toBeLessThan(20_000);
  expect(await server.cli("exists", ...written.map((at) => `timmy:${at}`))).toBe(String(written.length));
  await until("the server has done what it got", async () => {
    const before = await server.cli("get", `${ROOT}id`);
    return before === (await server.cli("get", `${ROOT}id`));
  });
  const log = await changes();
  expect(new Set(log).size).toBe(log.length);
  line.mend();
  expect(await store.set("timmy:again", bytes("v"), plainly)).toMatchObject({ written: true });
});

test("a server that forgets its scripts all the time changes no order, and doubles nothing", async () => {
  const store = await openBoard(server.url);
  const forgetful = await RawRedis.connect(server.url);
  onTestFinished(() => forgetful.close());
  const { take } = await follow(store, { channels: ["timmy:c"] });
  for (let round = 0; round < 5; round++) {
    const places = numbers(1000).map((at) => round * 1000 + at);
    const reads: Promise<unknown>[] = [];
    const sets = places.map((at) => {
      const written = store.set("timmy:k", bytes(`${at}`), plainly);
      if (at % 20 === 19) reads.push(store.get("timmy:k").then(String));
      return written;
    });
    const sent = places.map((at) => store.publish("timmy:c", bytes(`${at}`), "me"));
    let isDone = false;
    const done = Promise.all([...sets, ...sent]).then(() => {
      isDone = true;
    });
    while (!isDone) await forgetful.call("script", "flush");
    await done;
    expect(await Promise.all(reads)).toEqual(places.filter((at) => at % 20 === 19).map(String));
    expect((await take(1000)).map(({ payload }) => Number(payload))).toEqual(places);
  }
  expect(await changes()).toEqual(numbers(5000).map((at) => `set timmy:k ${at}`));
});

test("values of all sizes, and an expired key between them", async () => {
  const store = await openBoard(server.url);
  await store.set("timmy:0", bytes("old"), { ...plainly, ttlMs: 1 });
  await until("it has expired", async () => (await server.cli("exists", "timmy:0")) === "0");
  const sizes = [0, 1, 65_536, 65_537, 300_000, 5, 1_000_000, 3];
  const values = numbers(40).map((at) => Buffer.alloc(sizes[at % sizes.length] ?? 0, `${at}`));
  await Promise.all(values.map((value, at) => store.set(`timmy:${at % 30}`, value, plainly)));
  for (const [at, value] of values.entries())
    if (at >= 10) expect((await store.get(`timmy:${at % 30}`))?.equals(value)).toBe(true);
  const log = (await changes()).map((line) => line.split(" ", 2).join(" "));
  expect(log.filter((line) => line.startsWith("expired"))).toEqual(["expired timmy:0"]);
  expect(log.slice(2)).toEqual(values.map((_, at) => `set timmy:${at % 30}`));
  expect(await server.cli("zcard", `${ROOT}expiries`)).toBe("0");
});

test("what was asked for before the board is closed is begun", async () => {
  const store = await openBoard(server.url);
  await store.get("timmy:k");
  const asked = Promise.allSettled(numbers(10).map((at) => store.set(`timmy:${at}`, bytes("v"), plainly)));
  await store.close();
  for (const one of await within("the answers", asked)) {
    if (one.status === "rejected") expect(one.reason).toMatchObject({ kind: "unknown" });
  }
  await expect(store.set("timmy:k", bytes("v"), plainly)).rejects.toMatchObject({ kind: "usage" });
});
