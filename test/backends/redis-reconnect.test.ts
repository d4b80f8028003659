/** Followers whose server goes away and comes back. */
import { expect, onTestFinished, test } from "vitest";
import { createRedis, UnreachableError } from "../../src/backends/redis/index.ts";
import type { FollowState, Message } from "../../src/core/types.ts";
import { RawRedis } from "../helpers/raw-redis.ts";
import { bytes, follow, openBoard, redisOptions, taker, texts } from "../helpers/redis-board.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { until, within } from "../helpers/until.ts";
import { cuttableLine, start } from "./redis-world.ts";

const LIVE = { onState: () => {}, from: null, live: true };
/** What was missed and is no longer kept is lost, which is not what these tests are about. */
const KEEPING_ALL = { history: { messagesPerChannel: 1_000_000, changes: 10, maxAgeMs: 86_400_000 } };

test("a follower whose connection is cut in the middle of a stream misses nothing and repeats nothing", async () => {
  const server = await start();
  const store = await openBoard(server.url, KEEPING_ALL);
  const { take, states } = await follow(store, { channels: ["timmy:c"], patterns: ["timmy:p*"] });
  const sent: string[] = [];
  let cutting = true;
  const stream = async (): Promise<void> => {
    for (let round = 0; cutting; round++) {
      const channel = ["timmy:c", "timmy:p1", "timmy:p2"][round % 3] ?? "";
      const results = [1, 2, 3, 4, 5].map((at) => store.publish(channel, bytes(`${round}-${at}`), "me"));
      sent.push(...(await Promise.all(results)).map(({ id }) => id));
    }
  };
  const streaming = stream();
  const backs = (): number => states.filter(({ state }) => state === "back").length;
  const got: Message[] = [];
  for (let cuts = 1; cuts <= 10; cuts++) {
    await server.cli("client", "kill", "type", "pubsub");
    await until("the follower to be back", () => backs() >= cuts);
    got.push(...(await take(sent.length - got.length))); // with no room it would not come back
  }
  cutting = false;
  await streaming;
  got.push(...(await take(sent.length - got.length)));
  expect(got.map(({ id }) => id)).toEqual(sent);
  const recovered = states.map((state) => (state.state === "back" ? state.recovered : 0));
  expect(recovered.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
  expect(states.map(({ state }) => state).slice(0, 2)).toEqual(["away", "back"]);
});

test("a server that lets it in and drops it at once is not asked all the time", async () => {
  const server = await start();
  const admin = await RawRedis.connect(server.url);
  onTestFinished(() => admin.close());
  const { states } = await follow(await openBoard(server.url), { channels: ["timmy:c"] });
  const begun = performance.now();
  for (let drops = 1; drops <= 6; drops++) {
    await admin.call("client", "kill", "type", "pubsub");
    while (states.length < 2 * drops) await new Promise(setImmediate); // soon: it is to be dropped at once
  }
  // The least that its growing pauses take; a session that lasts longer than 50 ms needs none.
  expect(performance.now() - begun).toBeGreaterThan(250);
});

test("much that was missed on many channels, while more is sent on all of them", async () => {
  const server = await start();
  const line = await cuttableLine(server.port);
  const store = await openBoard(`redis://127.0.0.1:${line.port}`);
  const sender = await openBoard(server.url, KEEPING_ALL);
  const channels = ["a", "b", "c", "d"].map((name) => `timmy:${name}`);
  const sent: string[] = [];
  const round = async (payload: string): Promise<void> => {
    const results = await Promise.all(
      channels.map((channel) => sender.publish(channel, bytes(payload), "me")),
    );
    sent.push(...results.map(({ id }) => id));
  };
  const { take, states } = await follow(store, { patterns: ["timmy:*"] });
  await round("before");
  await take(channels.length);
  line.cut();
  await until("the follower to notice", () => states.length === 1);
  for (let at = 0; at < 400; at++) await round("x".repeat(2000));
  const missed = take(sent.length - channels.length);
  line.mend();
  while (states.length < 2) await round("meanwhile"); // the logs are being read now, one after the other
  await round("after");
  const got = await missed;
  got.push(...(await take(sent.length - channels.length - got.length)));
  expect(got.map(({ id }) => id)).toEqual(sent.slice(channels.length));
});

test("a server that is killed and comes back with its append-only file", async () => {
  const server = await start({ appendonly: true });
  const store = await openBoard(server.url);
  const { take, states } = await follow(store, { channels: ["timmy:c"] });
  await store.publish("timmy:c", bytes("before"), "me");
  expect(texts(await take(1))).toEqual(["before"]);
  await server.kill();
  await until("the follower to notice", () => states.length === 1);
  await server.restart();
  const again = await store.publish("timmy:c", bytes("after"), "me");
  expect((await take(1)).map(({ id, payload }) => [id, payload.toString()])).toEqual([[again.id, "after"]]);
  await until("the follower to say so", () => states.length === 2);
  expect(states).toEqual([
    { state: "away", store: "redis", reason: "the connection was lost" },
    {
      state: "back",
      store: "redis",
      awayMs: expect.any(Number),
      recovered: expect.any(Number),
    },
  ]);
});

test("a server that fails over to its replica: what was sent to either comes once, in order", async () => {
  const primary = await start({ settings: ["--repl-diskless-sync-delay", "0"] });
  const replica = await start({ settings: ["--replicaof", "127.0.0.1", String(primary.port)] });
  const line = await cuttableLine(primary.port);
  const { take, states } = await follow(await openBoard(`redis://127.0.0.1:${line.port}`), {
    channels: ["timmy:c"],
  });
  const sent: string[] = [];
  const send = async (server: RedisServer, count: number): Promise<void> => {
    const sender = await openBoard(server.url);
    for (let at = 0; at < count; at++) sent.push((await sender.publish("timmy:c", bytes("m"), "me")).id);
  };
  await send(primary, 10);
  await take(10);
  line.cut();
  await until("the follower to notice", () => states.length === 1);
  await send(primary, 20);
  const copied = () => replica.cli("xlen", "timmy-bb:{timmy}:channel:timmy:c");
  await until("the replica to have it", async () => (await copied()) === "30");
  await primary.kill();
  await replica.cli("replicaof", "no", "one");
  await send(replica, 20);
  line.mend(replica.port);
  await until("the follower to be back", () => states.length === 2);
  await send(replica, 10);
  expect((await take(50)).map(({ id }) => id)).toEqual(sent.slice(10));
  expect(states[1]).toMatchObject({ state: "back", recovered: 40 });
});

test("a server that comes back with nothing, its counter included", async () => {
  const server = await start();
  const store = await openBoard(server.url);
  const { take } = await follow(store, { channels: ["timmy:c"] });
  // ids as if the clock had been years ahead
  await server.cli("set", "timmy-bb:{timmy}:id", String(2 ** 52));
  await store.publish("timmy:c", bytes("before"), "me");
  await take(1);
  await server.restart();
  await store.publish("timmy:c", bytes("after"), "me");
  expect(texts(await take(1))).toEqual(["after"]);
});

test("a server that stops answering is noticed, and what was sent when it woke is delivered once", async () => {
  const server = await start();
  const store = await openBoard(server.url, { timeoutMs: 200 });
  const sender = await openBoard(server.url);
  const { take, states } = await follow(store, { channels: ["timmy:c"] });
  server.pause();
  const sending = sender.publish("timmy:c", bytes("woken"), "me");
  await until("the follower to notice", () => states.length > 0);
  expect(states[0]).toMatchObject({ state: "away", reason: "no answer within 200 ms" });
  server.resume();
  await sending;
  await until("the follower to be back", () => states.length === 2);
  await sender.publish("timmy:c", bytes("later"), "me");
  expect(texts(await take(2))).toEqual(["woken", "later"]);
});

test("a password that changes while the follower is away ends it with that error", async () => {
  const server = await start({ password: "old" });
  const store = await openBoard(server.url);
  const { take } = await follow(store, { channels: ["timmy:c"] });
  await server.cli("config", "set", "requirepass", "new");
  const ended = expect(take(1)).rejects.toMatchObject({ kind: "config" });
  await server.cli("-a", "new", "--no-auth-warning", "client", "kill", "type", "pubsub");
  await ended;
});

test("a server that is not there: ready and the iteration both say so", async () => {
  const server = await start();
  await server.kill();
  const store = createRedis(redisOptions(server.url));
  onTestFinished(() => store.close());
  const follower = store.follow({ channels: ["timmy:c"], patterns: [] }, LIVE);
  await expect(follower.ready).rejects.toBeInstanceOf(UnreachableError);
  await expect(taker(follower)(1)).rejects.toBeInstanceOf(UnreachableError);
});

test("a patient follower waits for its server, and gets what was sent since it began", async () => {
  const server = await start();
  await server.kill();
  const store = createRedis(redisOptions(server.url));
  onTestFinished(() => store.close());
  const states: FollowState[] = [];
  const onState = (state: FollowState) => states.push(state);
  const follower = store.followPatiently({ channels: [], patterns: ["timmy:*"] }, { ...LIVE, onState });
  await until("a few attempts", () => states.length > 0);
  expect(states[0]).toMatchObject({
    state: "away",
    reason: expect.stringContaining("cannot reach redis://"),
  });
  await server.restart();
  const sender = await openBoard(server.url);
  await sender.publish("timmy:c", bytes("early"), "me");
  await within("the follower to be ready", follower.ready);
  await sender.publish("timmy:c", bytes("later"), "me");
  expect(texts(await taker(follower)(2))).toEqual(["early", "later"]);
  await until("it to say that it is back", () => states.length === 2);
  expect(states.map(({ state }) => state)).toEqual(["away", "back"]);
});

test("a follower that waits for its server can be closed", async () => {
  const server = await start();
  await server.kill();
  const store = createRedis(redisOptions(server.url));
  const follower = store.followPatiently({ channels: ["timmy:c"], patterns: [] }, LIVE);
  await within("the store to close", store.close(), 1000);
  await expect(follower.ready).rejects.toMatchObject({ kind: "unavailable" });
  expect(await taker(follower)(1)).toEqual([]);
});
