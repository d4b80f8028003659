/** What is retained, read from the logs: alone, and joined to what comes. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import { idToNumber, numberToId } from "../../src/core/ids.ts";
import type { Gap, Message, Selection, Start } from "../../src/core/types.ts";
import { bytes, follow, openBoard, taker, texts } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { start } from "./redis-world.ts";

const DAY_MS = 86_400_000;
const ALL: Partial<Selection> = { patterns: ["timmy:*"] };
let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(() => server.cli("flushall"));
afterAll(() => server.stop());

function board(history: { messagesPerChannel?: number; maxAgeMs?: number } = {}): Promise<RedisStore> {
  const kept = { messagesPerChannel: 100_000, changes: 10, maxAgeMs: DAY_MS, ...history };
  return openBoard(server.url, { history: kept });
}

/** All that a replay gives. */
async function replayed(
  store: RedisStore,
  selection: Partial<Selection>,
  from: Start,
): Promise<Array<Message | Gap>> {
  const { takeAny } = await follow(store, selection, { from, live: false });
  return takeAny(Infinity);
}

/** Publishes one after the other; the ids. */
async function send(store: RedisStore, channel: string, payloads: readonly string[]): Promise<string[]> {
  const sent: string[] = [];
  for (const payload of payloads) sent.push((await store.publish(channel, bytes(payload), "me")).id);
  return sent;
}

const gapOf = (channel: string, after: string, next: string | null): Gap => ({
  gap: { channel, after, next },
});
const numberOf = (id: string | null | undefined): number => idToNumber(id ?? "") ?? 0;

test("any selection from any beginning: what was sent from there on, in the order of ids", async () => {
  const store = await board();
  const channels = ["timmy:a", "timmy:b1", "timmy:b2", "timmy:c", "timmy:d"];
  const sending = Array.from({ length: 600 }, async (_, at) => {
    const channel = channels[(at * at + (at >> 4)) % channels.length] ?? "";
    return { channel, id: (await store.publish(channel, bytes(`${at}`), "me")).id };
  });
  const sent = (await Promise.all(sending)).sort((one, other) => numberOf(one.id) - numberOf(other.id));
  const selections: ReadonlyArray<readonly [Partial<Selection>, RegExp]> = [
    [{ channels: ["timmy:a"] }, /:a$/],
    [{ channels: ["timmy:a", "timmy:d", "timmy:none"] }, /:[ad]$/],
    [{ channels: ["timmy:a", "timmy:b1"], patterns: ["timmy:b*", "*:[bc]*"] }, /:[abc]/],
    [ALL, /./],
  ];
  for (const [selection, matches] of selections) {
    const ids = sent.filter(({ channel }) => matches.test(channel)).map(({ id }) => id);
    for (const at of [0, 57, 599]) {
      const pivot = numberOf(sent[at]?.id);
      const at600 = Math.floor(pivot / 1024);
      const beginnings: ReadonlyArray<readonly [Start, readonly string[]]> = [
        [{ last: at }, ids.slice(Math.max(0, ids.length - at))],
        [{ after: pivot }, ids.filter((id) => numberOf(id) > pivot)],
        [{ sinceMs: at600 }, ids.filter((id) => numberOf(id) >= at600 * 1024)],
      ];
      for (const [from, expected] of beginnings) {
        const got = (await replayed(store, selection, from)) as Message[];
        expect(got.map(({ id }) => id)).toEqual(expected);
      }
    }
    expect(await replayed(store, selection, { agoMs: 0 })).toEqual([]);
    expect((await replayed(store, selection, { agoMs: 60_000 })).length).toBe(ids.length);
  }
});

test("the past and what comes are one: twenty times nothing is missed or doubled while others send", async () => {
  const store = await board();
  const sender = await board();
  const sent: string[] = [];
  let sending = true;
  const lane = async (channel: string): Promise<void> => {
    while (sending) sent.push((await sender.publish(channel, bytes("x"), "me")).id);
  };
  const lanes = Promise.all(["timmy:a", "timmy:b", "timmy:c", "timmy:a"].map(lane));
  const got: string[][] = [];
  for (let round = 0; round < 20; round++) {
    await until("something to be sent", () => sent.length > 50 * (round + 1));
    const from = round % 2 === 0 ? { last: 20 + round } : { after: numberOf(sent.at(-10)) };
    const { follower, take } = await follow(store, ALL, { from });
    const untilHere = numberOf(sent.at(-1));
    const ids: string[] = [];
    while (numberOf(ids.at(-1)) <= untilHere + 1024) ids.push(...(await take(1)).map(({ id }) => id ?? ""));
    await follower.close();
    got.push(ids);
  }
  sending = false;
  await lanes;
  const all = [...sent].sort((one, other) => numberOf(one) - numberOf(other));
  for (const ids of got) {
    const first = all.indexOf(ids[0] ?? "");
    expect(first).toBeGreaterThanOrEqual(0);
    expect(ids).toEqual(all.slice(first, first + ids.length));
  }
});

test("gaps by count: before the channel's next message, from where reading began or was", async () => {
  const store = await board({ messagesPerChannel: 3 });
  const [first = ""] = await send(store, "timmy:b", ["b0"]);
  const a = await send(store, "timmy:a", ["0", "1", "2", "3", "4"]);
  const items = await replayed(store, ALL, { after: 0 });
  expect(texts(items)).toEqual(["b0", "gap", "2", "3", "4"]);
  expect(items[1]).toEqual(gapOf("timmy:a", "0-0", a[2] ?? ""));
  expect((await replayed(store, ALL, { after: numberOf(first) }))[0]).toEqual(
    gapOf("timmy:a", first, a[2] ?? ""),
  );
  expect(texts(await replayed(store, ALL, { after: numberOf(a[1]) }))).toEqual(["2", "3", "4"]);
  expect(texts(await replayed(store, ALL, { last: 100 }))).toEqual(["b0", "2", "3", "4"]);
});

test("gaps by age: too old is dropped, though an idle log has it still", async () => {
  const store = await board({ maxAgeMs: 600 });
  const [old = ""] = await send(store, "timmy:a", ["old"]);
  const look = async () => texts(await replayed(store, ALL, { last: 9 }));
  await until("it to be too old", async () => (await look()).length === 0);
  const young = await board({ maxAgeMs: DAY_MS }); // its retention lets the entry live
  const [fresh = ""] = await send(young, "timmy:a", ["fresh"]);
  expect(await replayed(store, ALL, { after: 0 })).toEqual([
    gapOf("timmy:a", "0-0", fresh),
    expect.objectContaining({ id: fresh }),
  ]);
  expect(texts(await replayed(store, ALL, { after: numberOf(old) }))).toEqual(["fresh"]);
});

test("a log that is gone with all that was in it: a gap at the end", async () => {
  const store = await board();
  const sent = await send(store, "timmy:a", ["1", "2"]);
  await send(store, "timmy:b", ["3"]);
  await server.cli("del", "timmy-bb:{timmy}:channel:timmy:a");
  const items = await replayed(store, ALL, { after: numberOf(sent[0]) });
  expect(texts(items)).toEqual(["3", "gap at the end"]);
  expect(items[1]).toEqual(gapOf("timmy:a", sent[0] ?? "", null));
  expect(texts(await replayed(store, ALL, { last: 5 }))).toEqual(["3"]);
  const { takeAny } = await follow(store, ALL, { from: { after: numberOf(sent[0]) } });
  expect(texts(await takeAny(2))).toEqual(["3", "gap at the end"]);
  await send(store, "timmy:a", ["4"]);
  expect(texts(await takeAny(1))).toEqual(["4"]);
});

test("what is dropped while it is being read is told, and reading goes on behind it", async () => {
  const store = await board({ messagesPerChannel: 2000 });
  const payload = "x".repeat(10_000);
  const send2000 = () =>
    Promise.all(Array.from({ length: 2000 }, () => store.publish("timmy:a", bytes(payload), "me")));
  const before = await send2000();
  const { takeAny } = await follow(store, ALL, { from: { after: 0 } }); // 20 MB: read as far as there is room
  const first = await takeAny(1);
  const after = await send2000();
  const items = [...first, ...(await takeAny(2000))];
  const at = items.findIndex((item) => "gap" in item);
  expect(at).toBeGreaterThan(0);
  const last = before[at - 1]?.id ?? "";
  // the next one is told where it is in the log; it may also still be on its way by the subscription
  expect([gapOf("timmy:a", last, after[0]?.id ?? ""), gapOf("timmy:a", last, null)]).toContainEqual(
    items[at],
  );
  const rest = (await takeAny(2000 - (items.length - at - 1))) as Message[];
  expect([...(items.slice(at + 1) as Message[]), ...rest].map(({ id }) => id)).toEqual(
    after.map(({ id }) => id),
  );
});

test("many channels with large messages are merged in order", async () => {
  const store = await board();
  const large = "x".repeat(100_000);
  const sending = Array.from({ length: 150 }, (_, at) =>
    store.publish(`timmy:${at % 50}`, bytes(large), "me"),
  );
  const ids = (await Promise.all(sending)).map(({ id }) => id);
  expect(((await replayed(store, ALL, { after: 0 })) as Message[]).map(({ id }) => id)).toEqual(ids);
  expect(((await replayed(store, ALL, { last: 70 })) as Message[]).map(({ id }) => id)).toEqual(
    ids.slice(-70),
  );
});

test("messages that do not all fit are not read again and again", async () => {
  const store = await board();
  const huge = "x".repeat(2_000_000);
  for (let at = 0; at < 48; at++) await store.publish(`timmy:${at % 16}`, bytes(huge), "me");
  const before = await bytesSent();
  expect(await replayed(store, ALL, { after: 0 })).toHaveLength(48);
  expect((await bytesSent()) - before).toBeLessThan(3 * 48 * huge.length);
});

/** By the server, to all its clients. */
async function bytesSent(): Promise<number> {
  return Number(/total_net_output_bytes:(\d+)/.exec(await server.cli("info", "stats"))?.[1]);
}

test("very many channels with a few messages each are merged in order, from either end", async () => {
  const store = await board();
  const sending = Array.from({ length: 2000 }, (_, at) =>
    store.publish(`timmy:${(at * at) % 400}`, bytes("m"), "me"),
  );
  const ids = (await Promise.all(sending)).map(({ id }) => id);
  expect(((await replayed(store, ALL, { after: 0 })) as Message[]).map(({ id }) => id)).toEqual(ids);
  for (const last of [1, 700, 2000, 3000]) {
    expect(((await replayed(store, ALL, { last })) as Message[]).map(({ id }) => id)).toEqual(
      ids.slice(-last),
    );
  }
});

test("what others put into a log is passed over, and a failure is read from log and envelope alike", async () => {
  const store = await board();
  const known = { id: "1-1", by: "me", consumer: "c", attempts: 4, reason: "exit 1" };
  const json = JSON.stringify({ channel: "timmy:a", ...known });
  const failure = { channel: "timmy:a", key: null, event: null, ...known };
  const stream = "timmy-bb:{timmy}:channel:timmy:a:failed";
  const { take } = await follow(store, { channels: ["timmy:a:failed"] });
  const [last = ""] = await send(store, "timmy:a:failed", ["1"]);
  const add = (id: string, ...fields: string[]) => server.cli("xadd", stream, id, ...fields);
  await add(`${last.split("-")[0]}-5000`, "payload", "no number", "by", "x"); // no id of ours has such a sequence
  const later = numberOf(last) + 5000;
  await add(numberToId(later), "other", "fields");
  await add(
    numberToId(later + 1),
    "payload",
    "2",
    "by",
    "me",
    "before",
    String(numberOf(last)),
    "failure",
    json,
  );
  await add(numberToId(later + 2), "payload", "3", "by", "me", "before", "x", "failure", "{");
  await server.cli("zadd", "timmy-bb:{timmy}:channels", String(later + 2), "timmy:a:failed");
  const items = (await replayed(store, ALL, { after: 0 })) as Message[];
  expect(items.map((item) => [item.payload.toString(), item.failure])).toEqual([
    ["1", null],
    ["2", failure],
    ["3", null],
  ]);
  await take(1);
  for (const [at, text] of [json, "{}", `${json}\n`, ""].entries()) {
    await server.cli(
      "publish",
      "timmy-bb:{timmy}:envelope:timmy:a:failed",
      `0 ${numberToId(later + 3 + at)} me\n${text}`,
    );
    await server.cli("publish", "timmy:a:failed", "x");
  }
  expect((await take(4)).map((message) => [message.by, message.failure])).toEqual([
    ["me", failure],
    ["me", null],
    ["me", failure],
    ["me", null],
  ]);
});

test("a replay needs no subscription, and says within its bound that the server is gone", async () => {
  const own = await start();
  const sender = await openBoard(own.url);
  const payload = bytes("x".repeat(10_000));
  await Promise.all(Array.from({ length: 1000 }, () => sender.publish("timmy:a", payload, "me")));
  const store = await openBoard(own.url, { timeoutMs: 1000 });
  const how = { from: { after: 0 }, live: false };
  const { takeAny } = await follow(store, ALL, how);
  expect((await takeAny(1)).length).toBe(1);
  expect(await own.cli("pubsub", "channels")).toBe("");
  await own.cli("client", "kill", "type", "normal"); // between two pages
  expect((await takeAny(Infinity)).length).toBe(999);
  const { takeAny: takeRest } = await follow(store, ALL, how);
  own.pause();
  const begun = performance.now();
  await expect(takeRest(Infinity)).rejects.toMatchObject({ kind: "unavailable" });
  expect(performance.now() - begun).toBeLessThan(3000);
  const none = store.follow({ channels: [], patterns: ["*"] }, { ...how, onState: () => {} });
  await expect(none.ready).rejects.toMatchObject({ kind: "unavailable" });
  await expect(taker(none)(1)).rejects.toMatchObject({ kind: "unavailable" });
});
