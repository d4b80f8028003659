/** Workers in processes of their own: sharing, crashing, stopping. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import type { Started } from "../helpers/processes.ts";
import { openBoard } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until, within } from "../helpers/until.ts";
import { inProcess, linesOf, send, shown, work } from "./redis-consumer-world.ts";

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

const TEXT = "delivery.entry.payload + ' ' + delivery.attempt";
/** Takes one, says so, and keeps it until it is told to do more. */
const KEEP = `const delivery = await consumer.next(); say("has " + ${TEXT}); await told;`;
/** Handles what comes, for ever. */
const HANDLE = `for await (const delivery of consumer) { say(${TEXT}); await consumer.ack(delivery); }`;

const has = (child: Started, text: string) =>
  until(`it has ${text}`, () => linesOf(child).includes(`has ${text}`));
const handledBy = (child: Started) => linesOf(child).slice(1);

async function workerFacts() {
  return (await store.consumers())[0]?.workers;
}

test("a process goes on where another one stopped", async () => {
  await send(store, 6);
  const code = `for (let at = 0; at < 3; at++) { const delivery = await consumer.next(); say(${TEXT}); await consumer.ack(delivery); }`;
  for (const expected of [
    ["0 1", "1 1", "2 1"],
    ["3 1", "4 1", "5 1"],
  ]) {
    const child = inProcess(server.url, {}, code);
    child.process.stdin?.end();
    expect((await child.ended).exitCode).toBe(0);
    expect(handledBy(child)).toEqual(expected);
  }
});

test("processes share what is sent: each message handled once, each process in order", async () => {
  const children = [1, 2].map(() => inProcess(server.url, {}, HANDLE));
  await until("both work", () => children.every((child) => linesOf(child).includes("ready")));
  for (let from = 0; from < 500; from += 50) await send(store, 50, "timmy:c", from);
  await until("all are handled", () => children.flatMap(handledBy).length >= 500);
  const parts = children.map((child) => handledBy(child).map((line) => Number(line.split(" ")[0])));
  for (const part of parts) {
    expect(part.length).toBeGreaterThan(20);
    expect(part).toEqual([...part].sort((left, right) => left - right));
  }
  expect(parts.flat().sort((left, right) => left - right)).toEqual(
    Array.from({ length: 500 }, (_, at) => at),
  );
});

test("a killed process's message is taken over when its time is up, and not before; it shows as dead", async () => {
  await send(store, 2);
  const child = inProcess(server.url, { ackTimeoutMs: 900 }, KEEP);
  await has(child, "0 1");
  const other = await work(store, { ackTimeoutMs: 900 });
  expect(shown(await other.hold(1))).toEqual(["1 1"]);
  const killedAt = performance.now();
  child.process.kill("SIGKILL");
  await child.ended;
  await until("it is seen as dead", async () => (await workerFacts())?.some(({ isAlive }) => !isAlive));
  expect(await workerFacts()).toContainEqual({
    worker: expect.stringMatching(/^child#/),
    pending: 1,
    isAlive: false,
  });
  expect(shown(await other.hold(1))).toEqual(["0 2"]);
  const tookMs = performance.now() - killedAt;
  expect(tookMs).toBeGreaterThan(500); // it may have renewed up to a third before
  expect(tookMs).toBeLessThan(900 * 1.5 + 500);
  expect((await workerFacts())?.map(({ isAlive }) => isAlive)).toEqual([true]);
});

test("a living process keeps what it holds for many times the ack timeout", async () => {
  await send(store, 1);
  const child = inProcess(
    server.url,
    { ackTimeoutMs: 300 },
    `${KEEP} await consumer.ack(delivery); say("done");`,
  );
  await has(child, "0 1");
  const other = await work(store, { ackTimeoutMs: 300 });
  const taking = other.take();
  taking.catch(() => {});
  const since = performance.now();
  await until("three times its time is up", () => performance.now() - since > 900);
  expect((await store.consumers())[0]?.channels).toMatchObject([{ pending: 1, lag: 0 }]);
  child.process.stdin?.end();
  await until("it is done", () => linesOf(child).includes("done"));
  await send(store, 1, "timmy:c", 1);
  expect(await taking).toMatchObject([{ attempt: 1, entry: { payload: Buffer.from("1") } }]);
});

test("a stopped process loses what it held; when it goes on, it can do no harm", async () => {
  await send(store, 1);
  const code = `${KEEP} say("fail: " + await consumer.fail(delivery, "late")); await consumer.ack(delivery);`;
  const child = inProcess(server.url, { ackTimeoutMs: 300, retries: 5 }, code);
  await has(child, "0 1");
  child.process.kill("SIGSTOP");
  const { hold, worker } = await work(store, { ackTimeoutMs: 300 });
  const [held = expect.unreachable()] = await hold(1);
  expect(held.attempt).toBe(2);
  child.process.kill("SIGCONT");
  child.process.stdin?.end();
  expect((await within("its end", child.ended)).exitCode).toBe(0);
  expect(linesOf(child).at(-1)).toBe("fail: lost");
  expect(await store.channels("timmy:c:failed")).toEqual([]);
  await worker.ack(held);
});

test("processes killed again and again: nothing lost, and handled twice only what a killed one held", async () => {
  const history = { messagesPerChannel: 100_000, changes: 10, maxAgeMs: 86_400_000 };
  const sender = await openBoard(server.url, { history });
  const options = { ackTimeoutMs: 300, prefetch: 3, retries: null };
  const children: Started[] = [];
  for (let round = 0; round < 6; round++) {
    const child = inProcess(server.url, options, HANDLE);
    children.push(child);
    await until("it works", () => linesOf(child).includes("ready"));
    await send(sender, 200, "timmy:c", round * 200);
    await until("it has handled something", () => handledBy(child).length > 0);
    if (round < 5) child.process.kill("SIGKILL");
  }
  const isDone = async () =>
    (await store.consumers())[0]?.channels.every(({ pending, lag }) => pending + lag === 0);
  await until("all is done", isDone, 20_000);
  const lines = children.flatMap(handledBy);
  const again = lines.filter((line) => !line.endsWith(" 1"));
  expect(new Set(lines.map((line) => line.split(" ")[0])).size).toBe(1200);
  expect(lines.length - 1200).toBeLessThanOrEqual(again.length);
  expect(again.length).toBeLessThanOrEqual(5 * 3);
});
