/** The order of messages when a worker follows one that crashed. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import type { FollowState } from "../../src/core/types.ts";
import type { Started } from "../helpers/processes.ts";
import { openBoard, texts } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until, within } from "../helpers/until.ts";
import { deliveries, inProcess, linesOf, NEVER, send, shown, work } from "./redis-consumer-world.ts";

let server: RedisServer;
let store: RedisStore;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(async () => {
  await server.cli("flushall");
  store = await openBoard(server.url);
});
afterAll(() => server.stop());

/** A worker in a process that holds the next so many messages of `c`. */
async function holder(count: number, ackTimeoutMs: number): Promise<Started> {
  const code = `await consumer.next(); say("holds"); await told;`;
  const child = inProcess(server.url, { ackTimeoutMs, prefetch: count }, code);
  await until("it holds them", () => linesOf(child).includes("holds"));
  return child;
}

async function kill(child: Started): Promise<void> {
  child.process.kill("SIGKILL");
  await child.ended;
}

function atMostOf(state: FollowState | undefined): number {
  return state?.state === "waiting" ? state.atMostMs : Number.NaN;
}

test("a worker that comes alone begins with what the killed one held, when its time is up; other channels go on", async () => {
  await send(store, 5);
  await kill(await holder(3, 900));
  const selection = { channels: ["timmy:c", "timmy:d"] };
  const { hold, take, states } = await work(store, { ackTimeoutMs: 300, selection });
  await send(store, 1, "timmy:d");
  expect(deliveries(await take(10))).toMatchObject([{ entry: { channel: "timmy:d" }, attempt: 1 }]);
  const taking = hold(6);
  await until("it says so", () => states.length > 0);
  const due = performance.now() + atMostOf(states[0]);
  expect(states).toEqual([{ state: "waiting", store: "redis", held: 3, atMostMs: expect.any(Number) }]);
  expect(states).toMatchObject([{ atMostMs: expect.toSatisfy((ms: number) => ms > 0 && ms <= 900) }]);
  await send(store, 1, "timmy:c", 5); // what comes meanwhile waits its turn
  expect(shown(await taking)).toEqual(["0 2", "1 2", "2 2", "3 1", "4 1", "5 1"]);
  const lateMs = performance.now() - due;
  expect(lateMs).toBeGreaterThan(-200); // the state was told some moments before it was seen here
  expect(lateMs).toBeLessThan(500);
  expect(states).toHaveLength(1);
});

test("it does not ask again and again while it waits, whatever is sent", async () => {
  await send(store, 2);
  await kill(await holder(1, 60_000));
  const { worker, states } = await work(store, { ackTimeoutMs: 60_000 });
  const taking = worker.take(9, NEVER);
  await until("it waits", () => states.length > 0);
  const before = await scriptsRun();
  for (let n = 2; n < 52; n++) await send(store, 1, "timmy:c", n);
  expect((await scriptsRun()) - before).toBeLessThanOrEqual(52); // publishing is a script, too
  await worker.close();
  expect(await taking).toEqual([]);
});

async function scriptsRun(): Promise<number> {
  const stats = (await server.cli("info", "commandstats")).match(/cmdstat_(eval|evalsha):calls=\d+/g) ?? [];
  return stats.reduce((sum, stat) => sum + Number(stat.split("=")[1]), 0);
}

test("it asks when the time is up, not when it next looks around", async () => {
  await send(store, 1);
  const child = await holder(1, 2400);
  const since = performance.now();
  await kill(child);
  await until("a sixth of the time", () => performance.now() - since > 400); // half of the time between two looks
  const { hold, states } = await work(store, { ackTimeoutMs: 2400 });
  const taking = hold(1).then(() => performance.now());
  await until("it waits", () => states.length > 0);
  const due = performance.now() + atMostOf(states[0]);
  expect((await taking) - due).toBeLessThan(250);
});

test("several predecessors, whose times are up in another order", async () => {
  await send(store, 4);
  const first = await holder(1, 900);
  const second = await holder(1, 300);
  await Promise.all([kill(first), kill(second)]);
  const { hold } = await work(store, { ackTimeoutMs: 300 });
  expect(shown(await hold(4))).toEqual(["0 2", "1 2", "2 1", "3 1"]);
});

test("what retention dropped of it stands as a gap in its place", async () => {
  const history = { messagesPerChannel: 3, changes: 10, maxAgeMs: 86_400_000 };
  const board = await openBoard(server.url, { history });
  await send(board, 1);
  await kill(await holder(1, 300));
  await send(board, 4, "timmy:c", 1);
  const { take } = await work(board, { ackTimeoutMs: 300 });
  const items = [...(await take(9))];
  while (items.length < 4) items.push(...(await take(9)));
  expect(items[0]).toMatchObject({ gap: { channel: "timmy:c" } });
  const messages = items.flatMap((item) => ("gap" in item ? [] : [item.entry]));
  expect(texts(messages)).toEqual(["2", "3", "4"]);
});

test("a worker whose colleague is killed goes on at once", async () => {
  await send(store, 2);
  const colleague = await holder(1, 60_000);
  const { hold, states } = await work(store, { ackTimeoutMs: 60_000 });
  await kill(colleague);
  await send(store, 2, "timmy:c", 2);
  expect(shown(await hold(3))).toEqual(["1 1", "2 1", "3 1"]);
  expect(states).toEqual([]);
});

test("once another worker is there nobody waits any more", async () => {
  await send(store, 3);
  await kill(await holder(1, 60_000));
  const alone = await work(store, { ackTimeoutMs: 300 });
  const taking = alone.take();
  await until("it waits", () => alone.states.length > 0);
  const other = await work(store, { ackTimeoutMs: 300 });
  expect(shown(await other.hold(1))).toEqual(["1 1"]);
  expect(shown(deliveries(await taking))).toEqual(["2 1"]);
  expect(other.states).toEqual([]);
});

test("a predecessor that ended in order is not waited for", async () => {
  await send(store, 4);
  const first = await work(store, { ackTimeoutMs: 60_000 });
  expect(await first.take(3)).toHaveLength(3);
  await first.worker.close();
  const { hold, states } = await work(store, { ackTimeoutMs: 60_000 });
  expect(shown(await within("at once", hold(4)))).toEqual(["0 1", "1 1", "2 1", "3 1"]);
  expect(states).toEqual([]);
});
