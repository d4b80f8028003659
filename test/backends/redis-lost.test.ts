/** A follower is told when retention dropped what it missed, and only then. */
import { expect, onTestFinished, test } from "vitest";
import { readMissed } from "../../src/backends/redis/catch-up.ts";
import type { RedisOptions, RedisStore } from "../../src/backends/redis/index.ts";
import { layoutOf } from "../../src/backends/redis/layout.ts";
import { Link } from "../../src/backends/redis/link.ts";
import { Subscription } from "../../src/backends/redis/subscription.ts";
import { idToNumber } from "../../src/core/ids.ts";
import { bytes, follow, openBoard, redisOptions, texts } from "../helpers/redis-board.ts";
import { until } from "../helpers/until.ts";
import { cuttableLine, start } from "./redis-world.ts";

const DAY_MS = 86_400_000;

/** A follower of `timmy:c` that is away while others send as told; what it then says. */
async function whileAway(
  history: RedisOptions["history"],
  sending: (sender: RedisStore) => Promise<unknown>,
): Promise<{ heard: string[]; lost: boolean | undefined }> {
  const server = await start();
  const line = await cuttableLine(server.port);
  const store = await openBoard(`redis://127.0.0.1:${line.port}`, { history });
  const sender = await openBoard(server.url, { history });
  const { follower, take, states } = await follow(store, { channels: ["timmy:c"] });
  for (const at of [1, 2]) await sender.publish("timmy:c", bytes(`before ${at}`), "me");
  await take(2);
  line.cut();
  await until("the follower to notice", () => states.length === 1);
  await sending(sender);
  line.mend();
  const back = await until("it to be back", () => states.find((state) => state.state === "back"));
  await follower.close();
  return { heard: texts(await take(1_000_000)), lost: back.lost };
}

async function send(sender: RedisStore, channel: string, count: number): Promise<void> {
  for (let at = 1; at <= count; at++) await sender.publish(channel, bytes(String(at)), "me");
}

test.each([
  ["as many as are kept", { messagesPerChannel: 3 }, "timmy:c", 3, { heard: ["1", "2", "3"], lost: false }],
  ["more than are kept", { messagesPerChannel: 3 }, "timmy:c", 5, { heard: ["3", "4", "5"], lost: true }],
  ["nothing, where none are kept", { messagesPerChannel: 0 }, "timmy:c", 0, { heard: [], lost: false }],
  ["one, where none are kept", { messagesPerChannel: 0 }, "timmy:c", 1, { heard: [], lost: true }],
  ["many on another channel", { messagesPerChannel: 1 }, "timmy:d", 5, { heard: [], lost: false }],
])("sent while a follower is away: %s", async (_what, kept, channel, count, said) => {
  const history = { changes: 10, maxAgeMs: DAY_MS, ...kept };
  expect(await whileAway(history, (sender) => send(sender, channel, count))).toEqual(said);
});

test.each([
  ["by the next message", 1, ["1"]],
  ["with the whole log", 0, []],
])("what grew too old while a follower was away is told: %s", async (_what, later, heard) => {
  const history = { messagesPerChannel: 100, changes: 10, maxAgeMs: 400 };
  const said = await whileAway(history, async (sender) => {
    await sender.publish("timmy:c", bytes("old"), "me");
    await until("it to be too old", async () => (await sender.channels("timmy:c")).length === 0);
    await send(sender, "timmy:c", later);
  });
  expect(said).toEqual({ heard, lost: true });
});

test("what a follower has seen may grow old without its being told of a loss", async () => {
  const history = { messagesPerChannel: 100, changes: 10, maxAgeMs: 400 };
  const said = await whileAway(history, async (sender) => {
    await until("all to be too old", async () => (await sender.channels("timmy:c")).length === 0);
    await send(sender, "timmy:c", 1);
  });
  expect(said).toEqual({ heard: ["1"], lost: false });
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

test("what came by the subscription is not lost because the log has dropped it since", async () => {
  const server = await start();
  const history = { messagesPerChannel: 1, changes: 10, maxAgeMs: DAY_MS };
  const sender = await openBoard(server.url, { history });
  const sent: number[] = [];
  for (const text of ["seen", "dropped", "kept"]) {
    sent.push(idToNumber((await sender.publish("timmy:c", bytes(text), "me")).id) ?? 0);
  }
  const [seen = 0, dropped = 0] = sent;
  const layout = layoutOf("timmy");
  const link = new Link({ ...redisOptions(server.url), layout });
  onTestFinished(() => link.close());
  const subscription = new Subscription(layout, 0, { channels: ["timmy:c"], patterns: [] });
  const { signal } = new AbortController();
  const absence = { link, layout, subscription, after: seen, signal };
  const later = await readMissed({ ...absence, before: new Map() });
  expect([later.lost, texts(later.deliveries.map(({ message }) => message))]).toEqual([false, ["kept"]]);
  const earlier = await readMissed({ ...absence, before: new Map([["timmy:c", dropped]]) });
  expect(earlier.lost).toBe(true);
});
