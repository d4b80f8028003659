/** Workers whose connections, server or data go away. */
import { expect, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import { openBoard } from "../helpers/redis-board.ts";
import { until, within } from "../helpers/until.ts";
import { deliveries, lossyLine, NEVER, send, shown, type Working, work } from "./redis-consumer-world.ts";
import { cuttableLine, start } from "./redis-world.ts";

const KEEPING_ALL = { history: { messagesPerChannel: 1_000_000, changes: 10, maxAgeMs: 86_400_000 } };

/** Handles what comes, some at a time, until the worker is closed: payload and attempt of each. */
async function handling({ worker }: Working, most: number): Promise<string[]> {
  const handled: string[] = [];
  for (;;) {
    const taken = deliveries(await worker.take(most, NEVER));
    if (taken.length === 0) return handled;
    handled.push(...shown(taken));
    await Promise.all(taken.map((delivery) => worker.ack(delivery)));
  }
}

/** How often it came back; it may have said other things, too. */
function backsOf({ states }: Working): number {
  return states.filter(({ state }) => state === "back").length;
}

/** Nothing pending and nothing to come. */
async function isAllDone(store: RedisStore): Promise<boolean> {
  const [facts] = await store.consumers();
  return facts?.channels.every(({ pending, lag }) => pending + lag === 0) ?? false;
}

test("connections killed again and again: nothing lost, nothing handled twice", async () => {
  const server = await start();
  await server.cli("acl", "setuser", "worker", "on", "nopass", "~*", "&*", "+@all");
  const sender = await openBoard(server.url, KEEPING_ALL);
  const workers: Working[] = [];
  for (let at = 0; at < 2; at++)
    workers.push(await work(await openBoard(server.url.replace("//", "//worker:x@"), KEEPING_ALL)));
  const handled = workers.map((worker) => handling(worker, 8));
  for (let round = 1; round <= 20; round++) {
    const sending = send(sender, 250, "timmy:c", (round - 1) * 250);
    await server.cli("client", "kill", "user", "worker");
    await until("both are back", () => workers.every((worker) => backsOf(worker) >= round));
    await sending;
  }
  await until("all is done", () => isAllDone(sender));
  await Promise.all(workers.map(({ worker }) => worker.close()));
  const all = (await Promise.all(handled)).flat();
  expect(all.sort()).toEqual(Array.from({ length: 5000 }, (_, at) => `${at} 1`).sort());
  expect(workers[0]?.states.map(({ state }) => state).slice(0, 2)).toEqual(["away", "back"]);
});

test("connections cut in the middle of answers: what these handed out is not lost, nor counted", async () => {
  const server = await start();
  const sender = await openBoard(server.url, KEEPING_ALL);
  await send(sender, 3000);
  const line = await cuttableLine(server.port);
  const working = await work(await openBoard(`redis://127.0.0.1:${line.port}`, KEEPING_ALL));
  const handled = handling(working, 100);
  for (let cuts = 1; cuts <= 15; cuts++) {
    line.cut();
    line.mend();
    await until("it is back", () => backsOf(working) >= cuts);
  }
  await until("all is done", () => isAllDone(sender));
  await working.worker.close();
  expect(await handled).toEqual(Array.from({ length: 3000 }, (_, at) => `${at} 1`));
});

test("a server that is killed and comes back with its append-only file", async () => {
  const server = await start({ appendonly: true });
  const stores = [await openBoard(server.url, KEEPING_ALL), await openBoard(server.url, KEEPING_ALL)];
  const [sender = expect.unreachable()] = stores;
  await send(sender, 600);
  const workers = [await work(stores[0] ?? sender), await work(stores[1] ?? sender)];
  const handled = workers.map((worker) => handling(worker, 4));
  for (let round = 1; round <= 2; round++) {
    await server.restart();
    await until("both are back", () => workers.every((worker) => backsOf(worker) >= round));
  }
  await until("all is done", () => isAllDone(sender));
  await Promise.all(workers.map(({ worker }) => worker.close()));
  const all = (await Promise.all(handled)).flat();
  expect(all.sort()).toEqual(Array.from({ length: 600 }, (_, at) => `${at} 1`).sort());
});

test("a server that comes back with nothing: its new messages are handled", async () => {
  const server = await start();
  const store = await openBoard(server.url);
  await send(store, 2);
  const { hold, worker, states } = await work(store, { begin: "now" });
  await send(store, 1, "timmy:c", 2);
  const [held = expect.unreachable()] = await hold(1);
  await server.restart();
  await until("it is back", () => states.length === 2);
  await send(store, 2, "timmy:c", 3);
  await worker.ack(held);
  expect(shown(await hold(2))).toEqual(["3 1", "4 1"]);
});

test("a consumer that was deleted while its worker was away", async () => {
  const server = await start();
  const line = await cuttableLine(server.port);
  const { worker, states } = await work(await openBoard(`redis://127.0.0.1:${line.port}`));
  const ended = expect(worker.take(1, NEVER)).rejects.toMatchObject({ kind: "conflict" });
  line.cut();
  await until("it noticed", () => states.length === 1);
  const other = await openBoard(server.url);
  expect(await other.deleteConsumer("team")).toBe(true);
  await send(other, 1);
  line.mend();
  await within("the end", ended);
});

test("a server that does not answer: taking and acknowledging wait for it", async () => {
  const server = await start();
  const store = await openBoard(server.url, { timeoutMs: 200 });
  await send(store, 2);
  const { hold, worker, states, take } = await work(store);
  const [held = expect.unreachable()] = await hold(1);
  server.pause();
  const acked = worker.ack(held);
  const next = take();
  await until("it noticed", () => states.length === 1);
  expect(states[0]).toMatchObject({ state: "away", store: "redis", reason: "no answer within 200 ms" });
  server.resume();
  await within("the acknowledgement", acked);
  expect(shown(deliveries(await next))).toEqual(["1 1"]);
  // What it asks with may be back before what it hears with.
  await until("it is back", () => states.length === 2);
  expect(states[1]).toMatchObject({ state: "back", recovered: 0 });
});

test("closing while the store is away tries once more, in its time, and leaves the rest to others", async () => {
  const server = await start();
  const store = await openBoard(server.url, { timeoutMs: 300 });
  await send(store, 3);
  const { hold, worker, states } = await work(store, { ackTimeoutMs: 100 });
  const [held = expect.unreachable()] = await hold(2);
  server.pause();
  const acked = expect(worker.ack(held)).rejects.toMatchObject({ kind: "unknown" });
  await until("it noticed", () => states.length === 1);
  await within("closing", worker.close(), 1000);
  await acked;
  server.resume();
  const other = await work(await openBoard(server.url), { ackTimeoutMs: 100 });
  // What the paused server was told of one of them, it does when it goes on: that one's time begins anew.
  const rest = (await other.hold(2)).map(({ entry }) => entry.payload.toString());
  expect(rest.sort()).toEqual(["1", "2"]);
});

test("a store that is closed lets go of its workers at once", async () => {
  const server = await start();
  const store = await openBoard(server.url);
  const { worker } = await work(store);
  const taking = worker.take(1, NEVER);
  server.pause();
  await within("closing", store.close(), 500);
  expect(await taking).toEqual([]);
  await within("closing it, too", worker.close(), 500);
  server.resume();
});

test("a password that changes ends the taking with that error", async () => {
  const server = await start({ password: "old" });
  const store = await openBoard(server.url);
  const { worker } = await work(store);
  const ended = expect(worker.take(1, NEVER)).rejects.toMatchObject({ kind: "config" });
  await server.cli("config", "set", "requirepass", "new");
  await server.cli("-a", "new", "--no-auth-warning", "client", "kill", "type", "pubsub");
  await within("the end", ended);
});

test("an answer that is lost: what it handed out comes again, uncounted; what was told has happened once", async () => {
  const server = await start();
  const store = await openBoard(server.url);
  await send(store, 4);
  const line = await lossyLine(server.port);
  const { hold, worker } = await work(await openBoard(`redis://127.0.0.1:${line.port}`));
  // once without loss: the first answer to a script may be that the server does not know it yet
  const [sample = expect.unreachable()] = await hold(1);
  await worker.release((await worker.retry(sample)) ?? expect.unreachable());
  expect(await worker.giveUp((await hold(1))[0] ?? expect.unreachable(), "bad")).toBe(true);

  line.loseNextAnswer();
  const [first = expect.unreachable(), second = expect.unreachable()] = await hold(2);
  expect(shown([first, second])).toEqual(["1 1", "2 1"]);
  line.loseNextAnswer();
  expect(await worker.giveUp(first, "bad")).toBe(true);
  expect((await store.channels("timmy:c:failed"))[0]?.messages).toBe(2);
  line.loseNextAnswer();
  await worker.ack(second);
  line.loseNextAnswer();
  const again = await worker.retry((await hold(1))[0] ?? expect.unreachable());
  expect(again?.attempt).toBe(2);
  line.loseNextAnswer();
  await worker.release(again ?? expect.unreachable());
  expect((await hold(1))[0]?.entry).toEqual(again?.entry);
  expect((await store.consumers())[0]?.channels).toMatchObject([{ pending: 1, lag: 0 }]);
});

test("a board that is closed while a worker joins leaves no connection behind", async () => {
  const server = await start();
  for (let turns = 0; turns < 60; turns += 2) {
    const store = await openBoard(server.url);
    const joining = work(store).catch(() => undefined); // refused, if it is not done before
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    await store.close();
    await joining;
  }
  const listeners = () => server.cli("client", "list", "type", "pubsub");
  await until("nobody listens any more", async () => (await listeners()) === "");
});
