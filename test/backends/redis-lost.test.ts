/** A follower is told when retention dropped what it missed, and only then. */
import { expect, test } from "vitest";
import type { RedisOptions, RedisStore } from "../../src/backends/redis/index.ts";
import { idToNumber } from "../../src/core/ids.ts";
import type { Gap, Message } from "../../src/core/types.ts";
import { bytes, follow, openBoard, texts } from "../helpers/redis-board.ts";
import { until } from "../helpers/until.ts";
import { cuttableLine, gatedLine, start } from "./redis-world.ts";

const DAY_MS = 86_400_000;
const KEEPING_ALL = { messagesPerChannel: 100_000, changes: 10, maxAgeMs: DAY_MS };
const FORGETFUL = { ...KEEPING_ALL, messagesPerChannel: 0 };

/** A follower of `timmy:c` that is away while others send as told; what it then gets. */
async function whileAway(
  history: RedisOptions["history"],
  sending: (sender: RedisStore) => Promise<unknown>,
  beforehand: (sender: RedisStore) => Promise<unknown> = async () => {},
): Promise<string[]> {
  const server = await start();
  const line = await cuttableLine(server.port);
  const store = await openBoard(`redis://127.0.0.1:${line.port}`, { history });
  const sender = await openBoard(server.url, { history });
  const { follower, takeAny, states } = await follow(store, { channels: ["timmy:c"] });
  for (const at of [1, 2]) await sender.publish("timmy:c", bytes(`before ${at}`), "me");
  await takeAny(2);
  await beforehand(sender);
  line.cut();
  await until("the follower to notice", () => states.length === 1);
  await sending(sender);
  line.mend();
  await until("it to be back", () => states.find((state) => state.state === "back"));
  await follower.close();
  return texts(await takeAny(Infinity));
}

const numberOf = (id: string | null | undefined): number => idToNumber(id ?? "") ?? 0;

/** Up to a message of this id or payload. */
async function takeUntil(
  takeAny: (count: number) => Promise<Array<Message | Gap>>,
  last: string,
): Promise<Array<Message | Gap>> {
  const items: Array<Message | Gap> = [];
  for (;;) {
    const [item] = await takeAny(1);
    if (item === undefined) return items;
    items.push(item);
    if ("payload" in item && (item.id === last || item.payload.toString() === last)) return items;
  }
}

/** All of `timmy:c` is too old. */
function isForgotten(sender: RedisStore): Promise<unknown> {
  return until("all to be too old", async () =>
    (await sender.channels("timmy:c")).every(({ messages }) => messages === 0),
  );
}

async function send(sender: RedisStore, channel: string, count: number): Promise<void> {
  for (let at = 1; at <= count; at++) await sender.publish(channel, bytes(String(at)), "me");
}

test.each([
  ["as many as are kept", { messagesPerChannel: 3 }, "timmy:c", 3, ["1", "2", "3"]],
  ["more than are kept", { messagesPerChannel: 3 }, "timmy:c", 5, ["gap", "3", "4", "5"]],
  ["nothing, where none are kept", { messagesPerChannel: 0 }, "timmy:c", 0, []],
  ["one, where none are kept", { messagesPerChannel: 0 }, "timmy:c", 1, ["gap at the end"]],
  ["many on another channel", { messagesPerChannel: 1 }, "timmy:d", 5, []],
])("sent while a follower is away: %s", async (_what, kept, channel, count, said) => {
  const history = { changes: 10, maxAgeMs: DAY_MS, ...kept };
  expect(await whileAway(history, (sender) => send(sender, channel, count))).toEqual(said);
});

// What is sent at the end must not grow old before the follower is back, which tries once a second when it was away for long.
test.each([
  ["by the next message", 3000, 1, ["gap", "1"]],
  ["with the whole log", 400, 0, ["gap at the end"]],
])("what grew too old while a follower was away is told: %s", async (_what, maxAgeMs, later, heard) => {
  const history = { messagesPerChannel: 100, changes: 10, maxAgeMs };
  const said = await whileAway(history, async (sender) => {
    await sender.publish("timmy:c", bytes("old"), "me");
    await isForgotten(sender);
    await send(sender, "timmy:c", later);
  });
  expect(said).toEqual(heard);
});

test("what a follower has seen may grow old without its being told of a loss", async () => {
  const history = { messagesPerChannel: 100, changes: 10, maxAgeMs: 2000 };
  const said = await whileAway(history, (sender) => send(sender, "timmy:c", 1), isForgotten);
  expect(said).toEqual(["1"]);
});

test("a channel is forgotten in the end", async () => {
  const server = await start();
  const sender = await openBoard(server.url);
  await server.cli("zadd", "timmy-bb:{timmy}:channels", "1024", "timmy:old");
  await until("it to be forgotten", async () => {
    await send(sender, "timmy:c", 50);
    return (await server.cli("zrange", "timmy-bb:{timmy}:channels", "0", "-1")) === "timmy:c";
  });
});

test("a slow loop misses nothing that is kept; of what is not kept it is told", async () => {
  const server = await start();
  const keeping = await openBoard(server.url, { history: KEEPING_ALL });
  const forgetful = await openBoard(server.url, { history: FORGETFUL });
  const { takeAny } = await follow(keeping, { patterns: ["timmy:*"] });
  const payload = "x".repeat(5000);
  const kept: string[] = [];
  const unkept: string[] = [];
  for (let round = 0; round < 20; round++) {
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        at % 2 === 0
          ? keeping.publish("timmy:kept", bytes(payload), "me")
          : forgetful.publish("timmy:unkept", bytes(payload), "me"),
      ),
    );
    for (const [at, { id }] of results.entries()) (at % 2 === 0 ? kept : unkept).push(id);
  }
  for (const ids of [kept, unkept]) ids.sort((one, other) => numberOf(one) - numberOf(other));
  const items = await takeUntil(takeAny, kept.at(-1) ?? "");
  await forgetful.publish("timmy:unkept", bytes("end"), "me");
  items.push(...(await takeUntil(takeAny, "end")));
  const messages = items.filter((item) => "payload" in item);
  expect(messages.filter(({ channel }) => channel === "timmy:kept").map(({ id }) => id)).toEqual(kept);
  const heard = messages.filter(({ channel }) => channel === "timmy:unkept").map(({ id }) => numberOf(id));
  expect(heard).toEqual([...new Set(heard)].sort((one, other) => one - other));
  const lost = unkept.map(numberOf).filter((number) => !heard.includes(number));
  expect(lost.length).toBeGreaterThan(0);
  const gaps = items.flatMap((item) => ("gap" in item ? [item.gap] : []));
  const isTold = (number: number) =>
    gaps.some(({ after, next }) => numberOf(after) < number && (next === null || number < numberOf(next)));
  expect(lost.filter((number) => !isTold(number))).toEqual([]);
  expect(gaps.filter(({ channel }) => channel !== "timmy:unkept")).toEqual([]);
});

test("what no log keeps comes in its place, however late it arrives", async () => {
  const server = await start();
  const sender = await openBoard(server.url);
  const forgetful = await openBoard(server.url, { history: FORGETFUL });
  const gate = await gatedLine(server.port);
  const store = await openBoard(`redis://127.0.0.1:${gate.port}`);
  const { take, states } = await follow(store, { patterns: ["timmy:*"] });
  gate.close();
  await server.cli("client", "kill", "type", "pubsub");
  await until("the follower to ask what there is", () => gate.isAsked);
  await forgetful.publish("timmy:unkept", bytes("1"), "me");
  await send(sender, "timmy:kept", 1); // its id is greater
  await forgetful.publish("timmy:unkept", bytes("2"), "me");
  gate.letAsk();
  await until(
    "the log to be read, or the deliveries to be waited for",
    () => gate.isFenced || states.length === 2,
  );
  gate.open();
  expect((await take(3)).map(({ channel, payload }) => `${channel} ${payload}`)).toEqual([
    "timmy:unkept 1",
    "timmy:kept 1",
    "timmy:unkept 2",
  ]);
});
