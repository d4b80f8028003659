/** Following channels on a real server, together with clients that know nothing of timmy-bb. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { bytes, follow, openBoard, texts } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(() => server.cli("flushall"));
afterAll(() => server.stop());

test("a message of ours comes once, with its id and author; a foreign one comes once, without", async () => {
  const store = await openBoard(server.url);
  const { take } = await follow(store, { channels: ["timmy:c"] });
  const sent = await store.publish("timmy:c", bytes("ours"), "me");
  expect(await server.cli("publish", "timmy:c", "foreign")).toBe("1");
  await store.publish("timmy:c", bytes("foreign"), "you");
  const messages = await take(3);
  expect(messages.map(({ payload, id, by }) => [payload.toString(), id, by])).toEqual([
    ["ours", sent.id, "me"],
    ["foreign", null, null],
    ["foreign", expect.any(String), "you"],
  ]);
  expect(sent.receivers).toBe(1);
  expect(Math.abs((messages[1]?.at ?? 0) - Date.now())).toBeLessThan(60_000);
});

test("thousands of messages from three connections at once: each once, ours in order, none taken for another", async () => {
  const store = await openBoard(server.url);
  const other = await openBoard(server.url);
  const { take } = await follow(store, { channels: ["timmy:c"], patterns: ["timmy:c*", "*:[c-d]"] });
  const each = 3000;
  const taking = take(3 * each); // from the beginning: of what a slow loop has no room for, foreign messages are lost
  const numbers = Array.from({ length: each }, (_, at) => at);
  // the foreign payloads are the very same: only their place in the stream tells them apart
  const foreign = server.cliBytes([], numbers.map((at) => `publish timmy:c one-${at}\n`).join(""));
  const [one, two] = await Promise.all([
    Promise.all(numbers.map((at) => store.publish("timmy:c", bytes(`one-${at}`), "one"))),
    Promise.all(numbers.map((at) => other.publish("timmy:c", bytes(`two-${at}`), "two"))),
    foreign,
  ]);
  const messages = await taking;
  const ours = messages.filter(({ id }) => id !== null);
  const sent = new Map([...one, ...two].map(({ id }) => [id, true]));
  expect(ours).toHaveLength(2 * each);
  expect(ours.every(({ id }) => sent.has(id ?? ""))).toBe(true);
  expect(new Set(ours.map(({ id }) => id)).size).toBe(2 * each);
  expect(ours.filter(({ payload, by }) => !payload.toString().startsWith(`${by}-`))).toEqual([]);
  for (const by of ["one", "two"]) {
    expect(texts(ours.filter((message) => message.by === by))).toEqual(numbers.map((at) => `${by}-${at}`));
  }
  expect(texts(messages.filter(({ id }) => id === null))).toEqual(numbers.map((at) => `one-${at}`));
});

test("whatever overlaps, a message comes once and counts once", async () => {
  const store = await openBoard(server.url);
  const selection = {
    channels: ["timmy:ab", "timmy:ab", "timmy:z"],
    patterns: ["timmy:a*", "timmy:*b", "timmy:a*"],
  };
  const { take } = await follow(store, selection);
  const sent = await store.publish("timmy:ab", bytes("1"), "me");
  await server.cli("publish", "timmy:ab", "2");
  await store.publish("timmy:z", bytes("3"), "me");
  await store.publish("timmy:none", bytes("-"), "me");
  await store.publish("timmy:ax", bytes("4"), "me");
  expect(texts(await take(4))).toEqual(["1", "2", "3", "4"]);
  expect(sent.receivers).toBe(1);
  const facts = await store.channels("timmy:*");
  expect(facts.map(({ channel, messages, followers }) => [channel, messages, followers]).sort()).toEqual([
    ["timmy:ab", 1, 1],
    ["timmy:ax", 1, 1],
    ["timmy:none", 1, 0],
    ["timmy:z", 1, 1],
  ]);
});

test("with an empty prefix nothing of our own is heard or listed", async () => {
  const bare = await openBoard(server.url, { prefix: "" });
  const store = await openBoard(server.url);
  const { take } = await follow(bare, { patterns: ["*"] });
  await follow(store, { patterns: ["timmy:*"] });
  await bare.publish("c", bytes("1"), "me");
  await store.publish("timmy:c", bytes("2"), "me");
  await server.cli("publish", "d", "3");
  await bare.publish("end", bytes("4"), "me");
  const messages = await take(4);
  // the second comes from another board, whose envelope is none of this one's
  expect(messages.map(({ channel, payload, by }) => `${channel} ${payload} ${by}`)).toEqual([
    "c 1 me",
    "timmy:c 2 null",
    "d 3 null",
    "end 4 me",
  ]);
  const names = (await bare.channels("*")).map(({ channel }) => channel);
  expect(names.filter((name) => name.startsWith("timmy-bb:"))).toEqual([]);
});

test("channels whose names are globs themselves, and payloads that are any bytes", async () => {
  const store = await openBoard(server.url, { prefix: "a*[b" });
  const { take } = await follow(store, { channels: ["a*[b:x?"], patterns: ["a\\*\\[b:y*"] });
  const payload = Buffer.from([0, 255, 13, 10]);
  await server.cli("publish", "aXb:yy", "not ours");
  await store.publish("a*[b:x?", payload, "me");
  await store.publish("a*[b:yy", bytes(""), "me too");
  const messages = await take(2);
  expect(messages.map(({ channel, payload: got, by }) => [channel, got, by])).toEqual([
    ["a*[b:x?", payload, "me"],
    ["a*[b:yy", bytes(""), "me too"],
  ]);
});

test("an envelope of a stranger announces nothing", async () => {
  const store = await openBoard(server.url);
  const { take } = await follow(store, { channels: ["timmy:c"] });
  for (const forged of ["", "x", "0 12 me", "0 1-1024 me", "1-1 me", "x 1-1 me"]) {
    await server.cli("publish", "timmy-bb:{timmy}:envelope:timmy:c", forged);
    await server.cli("publish", "timmy:c", forged);
  }
  expect((await take(6)).map(({ id, by }) => [id, by])).toEqual(Array(6).fill([null, null]));
});

test("a board of the same prefix in another database is not heard", async () => {
  const [here, there] = [await openBoard(server.url), await openBoard(`${server.url}/1`)];
  const { take } = await follow(here, { channels: ["timmy:c"] });
  for (const payload of ["1", "2", "3"]) {
    await there.publish("timmy:c", bytes("not yours"), "you");
    await here.publish("timmy:c", bytes(payload), "me");
  }
  expect((await take(3)).map(({ payload, by }) => `${payload} ${by}`)).toEqual(["1 me", "2 me", "3 me"]);
});

test("with no retention messages are delivered and not kept", async () => {
  const history = { messagesPerChannel: 0, changes: 0, maxAgeMs: 1000 };
  const store = await openBoard(server.url, { history });
  const { take } = await follow(store, { channels: ["timmy:c"] });
  await store.publish("timmy:c", bytes("1"), "me");
  await store.set("timmy:k", bytes("v"), { ttlMs: null, condition: null, fence: null, agent: "me" });
  expect((await take(1)).map(({ by }) => by)).toEqual(["me"]);
  expect(await store.channels("timmy:*")).toEqual([
    { channel: "timmy:c", messages: 0, followers: 1, lastId: null },
  ]);
  expect(await server.cli("keys", "*:changes")).toBe("");
});

test("leaving the loop, closing the follower and closing the store each let the connection go", async () => {
  const store = await openBoard(server.url);
  const connections = async (): Promise<number> =>
    (await server.cli("client", "list", "type", "pubsub")).split("\n").filter((line) => line !== "").length;
  const [first, second, third] = await Promise.all(
    [1, 2, 3].map(() => follow(store, { channels: ["timmy:c"] })),
  );
  expect([await connections(), (await store.status()).stores[0]?.followers]).toEqual([3, 3]);
  await store.publish("timmy:c", bytes("x"), "me");
  for await (const message of first?.follower ?? []) {
    expect(texts([message])).toEqual(["x"]);
    break;
  }
  await until("the first to be gone", async () => (await connections()) === 2);
  await second?.follower.close();
  expect(texts((await second?.take(2)) ?? [])).toEqual(["x"]); // what had arrived, then the end
  await store.close();
  expect(texts((await third?.take(2)) ?? [])).toEqual(["x"]);
  await until("all to be gone", async () => (await connections()) === 0);
});

test("status tells what the server is and what is on the board", async () => {
  const store = await openBoard(server.url);
  await store.set("timmy:k", bytes("v"), { ttlMs: null, condition: null, fence: null, agent: "me" });
  await server.cli("set", "other:k", "v");
  await store.publish("timmy:c", bytes("x"), "me");
  await store.publish("timmy:d", bytes("x"), "me");
  const { store: name, stores } = await store.status();
  expect(name).toBe("redis");
  expect(stores[0]).toMatchObject({
    place: `redis://127.0.0.1:${server.port}`,
    keys: 1,
    messages: 2,
    channels: 2,
  });
  expect(stores[0]?.facts).toMatchObject({
    server: expect.stringMatching(/^(redis|valkey) \d+\.\d+/),
    append_only_file: "off",
    role: "master",
    db: 0,
  });
});
