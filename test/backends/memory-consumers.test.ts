/** Consumers of the memory store: who is handed what, and when it is done. */
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { Delivery } from "../../src/core/worker.ts";
import { within } from "../helpers/until.ts";
import {
  lockFile,
  NEVER,
  numbers,
  OPTIONS,
  send,
  shown,
  takeAll,
  takeNow,
  takeOne,
  work,
} from "./memory-consumer-world.ts";
import { bytes, channels, cleanUp, newPath, open, query, settings } from "./memory-world.ts";

afterEach(cleanUp);

const pendingIn = (path: string) => query(path, "SELECT * FROM pending");

describe("a consumer", () => {
  test("begins with what is retained or with what comes, and then goes on where it is", async () => {
    const backend = await open(newPath());
    await send(backend, "t:c", "old");
    const now = await backend.work("now", channels("t:c"), { ...OPTIONS, begin: "now" });
    const start = await work(backend, { begin: "start" });
    await send(backend, "t:c", "new");
    expect(shown(await takeAll(now, 1))).toEqual(["new"]);
    expect(shown(await takeAll(start, 2))).toEqual(["old", "new"]);
    await start.close();
    const again = await work(backend, { begin: "now" });
    expect(shown(await takeAll(again, 2))).toEqual(["old", "new"]);
  });

  test("keeps its position in the file: what is acknowledged never comes again", async () => {
    const path = newPath();
    const first = await open(path);
    await send(first, "t:c", ...numbers(5));
    const worker = await work(first);
    for (let i = 0; i < 3; i++) await worker.ack(await takeOne(worker));
    await first.close();
    expect(pendingIn(path)).toEqual([]);
    const second = await open(path);
    expect(shown(await takeNow(await work(second)))).toEqual(["3", "4"]);
  });

  test("hands each message to one worker, in order, the oldest of all channels first", async () => {
    const backend = await open(newPath());
    for (const text of numbers(20)) await send(backend, `t:${Number(text) % 3}`, text);
    const all = { channels: [], patterns: ["t:*"] };
    const one = await work(backend, {}, all);
    const other = await work(backend, {}, all);
    const taken = [];
    for (let i = 0; i < 10; i++) taken.push(...(await one.take(1, NEVER)), ...(await other.take(1, NEVER)));
    expect(shown(taken)).toEqual(numbers(20));
    expect(await takeNow(one)).toEqual([]);
  });

  test("of a pattern gets channels born later, and nothing of other channels, keys or boards", async () => {
    const path = newPath();
    const backend = await open(path);
    const worker = await work(backend, {}, { channels: [], patterns: ["t:n*"] });
    const other = await open(path, { prefix: "" });
    await send(other, "t:new", "of another board");
    await backend.set("t:new", bytes("v"), { ttlMs: null, condition: null, fence: null, agent: "me" });
    await send(backend, "t:other", "no");
    await send(backend, "t:new", "yes");
    expect(shown(await takeNow(worker))).toEqual(["yes"]);
  });

  test("with another selection reads each channel from where it is in it", async () => {
    const backend = await open(newPath());
    const both = channels("t:a", "t:b");
    await send(backend, "t:a", "a1");
    await send(backend, "t:b", "b1");
    const onlyB = await work(backend, {}, channels("t:b"));
    await onlyB.ack(await takeOne(onlyB));
    await send(backend, "t:b", "b2");
    const worker = await work(backend, {}, both);
    expect(shown(await takeNow(worker))).toEqual(["a1", "b2"]);
  });

  test("finds a message behind many that are not for it", async () => {
    const backend = await open(newPath(), {
      history: { ...settings("").history, messagesPerChannel: 10_000 },
    });
    const worker = await work(backend);
    await send(backend, "t:other", ...numbers(1000));
    await send(backend, "t:c", "found");
    expect(shown(await within("it is found", worker.take(1, NEVER)))).toEqual(["found"]);
  });

  test("needs messages that are kept", async () => {
    const backend = await open(newPath(), { history: { ...settings("").history, messagesPerChannel: 0 } });
    await expect(work(backend)).rejects.toMatchObject({
      kind: "config",
      hint: expect.stringContaining("blackboard.history.messages_per_channel"),
    });
  });

  test("is listed with its positions, what is pending, what is left, and who works", async () => {
    const backend = await open(newPath());
    const [, second] = await send(backend, "t:c", ...numbers(5));
    await send(backend, "t:d", "unread");
    await send(backend, "t:e", "not selected");
    const worker = await work(backend, {}, channels("t:c", "t:d"));
    const [one] = await worker.take(2, NEVER);
    await worker.ack(one as Delivery);
    expect(await backend.consumers()).toEqual([
      {
        consumer: "w",
        channels: [
          { channel: "t:c", position: second, pending: 1, lag: 3 },
          { channel: "t:d", position: "0-0", pending: 0, lag: 1 },
        ],
        workers: [{ worker: expect.stringMatching(/^tester#[0-9a-f]{8}$/), pending: 1, isAlive: true }],
      },
    ]);
    await worker.close();
    expect((await backend.consumers())[0]?.workers).toEqual([]);
    expect(await (await open(newPath())).consumers()).toEqual([]);
  });

  test("that is deleted ends its workers at once, and begins anew under its name", async () => {
    const path = newPath();
    const backend = await open(path);
    await send(backend, "t:c", "0");
    const worker = await work(backend);
    const held = await takeOne(worker);
    const waiting = worker.take(1, NEVER);
    const other = await open(path);
    expect(await other.deleteConsumer("w")).toBe(true);
    await expect(within("it ends", waiting)).rejects.toMatchObject({
      kind: "conflict",
      message: "the consumer w was deleted",
    });
    await expect(worker.take(1, NEVER)).rejects.toMatchObject({ kind: "conflict" });
    expect(query(path, "SELECT * FROM followers")).toEqual([]);
    await worker.ack(held);
    expect(await worker.retry(held)).toBeNull();
    expect(await worker.giveUp(held, "reason")).toBe(false);
    await worker.close();
    for (const table of ["consumers", "positions", "pending", "followers"]) {
      expect(query(path, `SELECT * FROM ${table}`)).toEqual([]);
    }
    expect(await other.deleteConsumer("w")).toBe(false);
    expect(shown(await takeAll(await work(other), 1))).toEqual(["0"]);
  });
});

describe("a worker", () => {
  test("waits for a message, until it is stopped or closed", async () => {
    const path = newPath();
    const backend = await open(path);
    const worker = await work(backend);
    const stop = new AbortController();
    const stopped: unknown[] = [];
    worker.take(1, stop.signal).then((items) => stopped.push(items));
    stop.abort();
    await setImmediate();
    expect(stopped).toEqual([[]]);
    const coming = worker.take(1, NEVER);
    await send(await open(path), "t:c", "m");
    expect(shown(await within("it comes", coming))).toEqual(["m"]);
    const closed = worker.take(1, NEVER);
    await worker.close();
    expect(await within("it ends", closed)).toEqual([]);
    await worker.close();
    expect(await worker.take(1, NEVER)).toEqual([]);
  });

  test("is counted as a receiver and a follower of its board while it is there", async () => {
    const path = newPath();
    const backend = await open(path);
    const worker = await work(backend);
    expect((await backend.publish("t:c", bytes("m"), "me")).receivers).toBe(1);
    expect((await backend.channels("t:c"))[0]?.followers).toBe(1);
    const otherBoard = await open(path, { prefix: "" });
    expect((await otherBoard.publish("t:c", bytes("m"), "me")).receivers).toBe(0);
    expect((await otherBoard.channels("t:c"))[0]?.followers).toBe(0);
    await worker.close();
    expect((await backend.publish("t:c", bytes("m"), "me")).receivers).toBe(0);
  });

  test("tries again what is its own, attempt by attempt", async () => {
    const backend = await open(newPath());
    await send(backend, "t:c", "m");
    const worker = await work(backend);
    const first = await takeOne(worker);
    expect(first.attempt).toBe(1);
    const second = await worker.retry(first);
    expect(second).toEqual({ entry: first.entry, attempt: 2 });
    await worker.ack(second as Delivery);
    expect(await worker.retry(first)).toBeNull();
    expect(await takeNow(worker)).toEqual([]);
  });

  test("passes on what it gives up, byte for byte, with what became of it, in one step", async () => {
    const path = newPath();
    const backend = await open(path);
    const payload = Buffer.from([0, 255, 10, 0]);
    const { id } = await backend.publish("t:c", payload, "sender");
    const worker = await work(backend);
    const delivery = await worker.retry(await takeOne(worker));
    expect(await worker.giveUp(delivery as Delivery, "exited 3")).toBe(true);
    expect(pendingIn(path)).toEqual([]);
    expect(await worker.giveUp(delivery as Delivery, "twice")).toBe(false);
    const failed = await takeOne(await work(backend, {}, channels("t:c:failed")));
    expect(failed.entry).toMatchObject({ channel: "t:c:failed", payload, by: "tester" });
    expect(failed.entry.failure).toEqual({
      channel: "t:c",
      key: null,
      event: null,
      id,
      by: "sender",
      consumer: "w",
      attempts: 2,
      reason: "exited 3",
    });
    expect(query(path, "SELECT n FROM log")).toHaveLength(2);
  });

  test("gives back a message: the next to ask has it at once, before newer ones, and no attempt counts", async () => {
    const backend = await open(newPath());
    const worker = await work(backend);
    const other = await work(backend);
    await send(backend, "t:c", ...numbers(3));
    const zero = await takeOne(worker);
    expect(shown(await other.take(1, NEVER))).toEqual(["1"]);
    await worker.release(zero);
    const items = await takeNow(other);
    expect(shown(items)).toEqual(["0", "2"]);
    expect(items[0]).toMatchObject({ attempt: 1 });
    await worker.release(zero);
    expect(await takeNow(worker)).toEqual([]);
    await other.release(items[1] as Delivery);
    await other.release(items[0] as Delivery);
    expect(shown(await takeNow(other))).toEqual(["0", "2"]);
  });

  test("that waits gets what another gives back, and all that one leaves behind", async () => {
    const backend = await open(newPath());
    const worker = await work(backend);
    const other = await work(backend);
    await send(backend, "t:c", ...numbers(4));
    const items = await takeAll(worker, 4);
    const waiting = other.take(1, NEVER);
    await worker.release(items[2] as Delivery);
    expect(shown(await within("it comes", waiting))).toEqual(["2"]);
    const rest = other.take(10, NEVER);
    await worker.close();
    expect(shown(await within("they come", rest))).toEqual(["0", "1", "3"]);
  });

  test("takes over nothing of channels it does not select", async () => {
    const backend = await open(newPath());
    await send(backend, "t:a", "a");
    const leaving = await work(backend, {}, channels("t:a"));
    await takeOne(leaving);
    await leaving.close();
    expect(await takeNow(await work(backend, {}, channels("t:b")))).toEqual([]);
    expect(shown(await takeNow(await work(backend, {}, channels("t:a", "t:b"))))).toEqual(["a"]);
  });

  test("acknowledges many in one go, and what another holds by now, too", async () => {
    const path = newPath();
    const backend = await open(path);
    await send(backend, "t:c", ...numbers(200));
    const worker = await work(backend);
    const items = (await takeAll(worker, 200)) as Delivery[];
    await Promise.all(items.slice(1).map((delivery) => worker.ack(delivery)));
    query(path, "UPDATE pending SET worker = 'another'");
    expect(await worker.retry(items[0] as Delivery)).toBeNull();
    expect(pendingIn(path)).toHaveLength(1);
    await worker.ack(items[0] as Delivery);
    expect(pendingIn(path)).toEqual([]);
  });

  test("waits for a locked file to say what became of a message; closing ends that, the outcome unknown", async () => {
    const path = newPath();
    const backend = await open(path, { timeoutMs: 50 });
    await send(backend, "t:c", ...numbers(2));
    const worker = await work(backend);
    const [one, two] = (await takeAll(worker, 2)) as [Delivery, Delivery];
    const lock = lockFile(path);
    const acknowledged = worker.ack(one);
    await setImmediate();
    const released = worker.release(two);
    lock.release();
    await within("both are written", Promise.all([acknowledged, released]));
    const again = lockFile(path);
    const unknown = worker.ack(two);
    await setImmediate();
    const rejected = expect(unknown).rejects.toMatchObject({ kind: "unknown" });
    await worker.close();
    await rejected;
    again.release();
    await expect(worker.ack(two)).rejects.toMatchObject({ kind: "unknown" });
    expect(pendingIn(path)).toHaveLength(1);
  });
});
