/** Workers of key changes that are killed, cut off, or lose their server. */
import { expect, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import type { Change } from "../../src/core/types.ts";
import type { Started } from "../helpers/processes.ts";
import { bytes, openBoard, plainly } from "../helpers/redis-board.ts";
import { until } from "../helpers/until.ts";
import {
  deliveries,
  inProcess,
  linesOf,
  NEVER,
  shownChanges,
  type Working,
  workOnKeys,
} from "./redis-consumer-world.ts";
import { start } from "./redis-world.ts";

const KEEPING_ALL = { history: { messagesPerChannel: 10, changes: 1_000_000, maxAgeMs: 86_400_000 } };
/** Handles what comes, for ever. */
const HANDLE = `for await (const delivery of consumer) {
  say(delivery.entry.key + " " + delivery.entry.value + " " + delivery.attempt); await consumer.ack(delivery); }`;
const OF = { keys: ["k*"] };
const SELECTION = { patterns: ["timmy:k*"] };

/** `k0` … `k4` = from, from + 1, …, and as many changes of other keys between. */
async function write(store: RedisStore, count: number, from = 0): Promise<void> {
  const numbers = Array.from({ length: count }, (_, at) => from + at);
  const sets = numbers.flatMap((n) => [`timmy:k${n % 5}`, "timmy:other"].map((key) => [key, n] as const));
  await Promise.all(sets.map(([key, n]) => store.set(key, bytes(String(n)), plainly)));
}

function expected(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `set k${n % 5} ${n} 1`);
}

async function isAllDone(store: RedisStore): Promise<boolean> {
  const [facts] = await store.consumers();
  return facts?.channels.every(({ pending, lag }) => pending + lag === 0) ?? false;
}

/** Handles what comes, some at a time, until the worker is closed. */
async function handling({ worker }: Working<Change>, most: number): Promise<string[]> {
  const handled: string[] = [];
  for (;;) {
    const taken = deliveries(await worker.take(most, NEVER));
    if (taken.length === 0) return handled;
    handled.push(...shownChanges(taken));
    await Promise.all(taken.map((delivery) => worker.ack(delivery)));
  }
}

const backsOf = ({ states }: Working<Change>) => states.filter(({ state }) => state === "back").length;
const handledBy = (child: Started) => linesOf(child).slice(1);

test("processes share the changes of their keys, each handled once, and each process has them in order", async () => {
  const server = await start();
  const store = await openBoard(server.url);
  const children = [1, 2].map(() => inProcess(server.url, {}, HANDLE, OF));
  await until("both work", () => children.every((child) => linesOf(child).includes("ready")));
  for (let from = 0; from < 300; from += 25) await write(store, 25, from);
  await until("all are handled", () => children.flatMap(handledBy).length >= 300);
  const parts = children.map((child) => handledBy(child).map((line) => Number(line.split(" ")[1])));
  for (const part of parts) {
    expect(part.length).toBeGreaterThan(10);
    expect(part).toEqual([...part].sort((left, right) => left - right));
  }
  expect(parts.flat().sort((left, right) => left - right)).toEqual(Array.from({ length: 300 }, (_, n) => n));
  await until("the others are done", () => isAllDone(store));
});

test("processes killed again and again: nothing lost, and handled twice only what a killed one held", async () => {
  const server = await start();
  const store = await openBoard(server.url, KEEPING_ALL);
  const children: Started[] = [];
  for (let round = 0; round < 4; round++) {
    const child = inProcess(server.url, { ackTimeoutMs: 300, prefetch: 3, retries: null }, HANDLE, OF);
    children.push(child);
    await until("it works", () => linesOf(child).includes("ready"));
    await write(store, 100, round * 100);
    await until("it has handled something", () => handledBy(child).length > 0);
    if (round < 3) child.process.kill("SIGKILL");
  }
  await until("all is done", () => isAllDone(store));
  const lines = children.flatMap(handledBy);
  const again = lines.filter((line) => !line.endsWith(" 1"));
  expect(new Set(lines.map((line) => line.split(" ")[1])).size).toBe(400);
  expect(lines.length - 400).toBeLessThanOrEqual(again.length);
  expect(again.length).toBeLessThan(60); // what was taken ahead, and what more was found was on its way back
});

test("connections killed again and again: nothing lost, nothing handled twice", async () => {
  const server = await start();
  await server.cli("acl", "setuser", "worker", "on", "nopass", "~*", "&*", "+@all");
  const writer = await openBoard(server.url, KEEPING_ALL);
  const workers: Working<Change>[] = [];
  for (let at = 0; at < 2; at++) {
    const store = await openBoard(server.url.replace("//", "//worker:x@"), KEEPING_ALL);
    workers.push(await workOnKeys(store, SELECTION));
  }
  const handled = workers.map((worker) => handling(worker, 4));
  for (let round = 1; round <= 15; round++) {
    const writing = write(writer, 100, (round - 1) * 100);
    await server.cli("client", "kill", "user", "worker");
    await until("both are back", () => workers.every((worker) => backsOf(worker) >= round));
    await writing;
  }
  await until("all is done", () => isAllDone(writer));
  await Promise.all(workers.map(({ worker }) => worker.close()));
  const all = (await Promise.all(handled)).flat();
  expect(all.sort()).toEqual(expected(1500).sort());
});

test("a server that is killed and comes back with its append-only file", async () => {
  const server = await start({ appendonly: true });
  const writer = await openBoard(server.url, KEEPING_ALL);
  await write(writer, 300);
  const worker = await workOnKeys(await openBoard(server.url, KEEPING_ALL), SELECTION);
  const handled = handling(worker, 4);
  for (let round = 1; round <= 2; round++) {
    await server.restart();
    await until("it is back", () => backsOf(worker) >= round);
  }
  await until("all is done", () => isAllDone(writer));
  await worker.worker.close();
  expect(await handled).toEqual(expected(300));
});

test("a server that comes back with nothing: its new changes are handled, and what expires", async () => {
  const server = await start();
  const store = await openBoard(server.url);
  const working = await workOnKeys(store, SELECTION, { begin: "now" });
  await write(store, 1);
  const [held = expect.unreachable()] = await working.hold(1);
  await server.restart();
  await until("it is back", () => backsOf(working) === 1);
  await store.set("timmy:k9", bytes("x"), { ...plainly, ttlMs: 100 });
  await working.worker.ack(held);
  expect(shownChanges(await working.hold(2))).toEqual(["set k9 x 1", "expired k9  1"]);
});
