/** Reading the past of channels: from where, what of it, and what is said where something is missing. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../../src/core/backend.ts";
import { idToNumber } from "../../src/core/ids.ts";
import type { Start } from "../../src/core/types.ts";
import { until, within } from "../helpers/until.ts";
import {
  all,
  bundleStore,
  bytes,
  channels,
  cleanUp,
  inProcess,
  LIVE,
  messagesOf,
  newPath,
  open,
  plain,
  query,
  removeBundle,
  since,
  succeed,
  take,
  takeAny,
  texts,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

const WEEK_MS = 604_800_000;
const keeping = (messagesPerChannel: number, maxAgeMs = WEEK_MS) => ({
  history: { messagesPerChannel, changes: 100, maxAgeMs },
});
const START: Start = { after: 0 };

/** Sends these, each the name of its channel behind `t:`, a number, and returns the ids. */
async function send(backend: Backend, ...names: string[]): Promise<string[]> {
  const sent = names.map((name, i) => backend.publish(`t:${name}`, bytes(`${name}${i}`), "me"));
  return (await Promise.all(sent)).map(({ id }) => id);
}

/** Sends numbers, and returns the ids. */
async function count(backend: Backend, from: number, to: number, channel = "t:c"): Promise<string[]> {
  const numbers = Array.from({ length: to - from }, (_, i) => from + i);
  const sent = numbers.map((n) => backend.publish(channel, bytes(String(n)), "me"));
  return (await Promise.all(sent)).map(({ id }) => id);
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i));
const read = async (backend: Backend, from: Start, ...names: string[]) =>
  texts(await all(backend.follow(channels(...names), since(from))));
const gap = (channel: string, after: string | undefined, next: string | null | undefined) => ({
  gap: { channel, after, next },
});
const numberOf = (id: string | undefined) => idToNumber(id ?? "") ?? 0;

describe("a replay", () => {
  test("is over all channels selected, in the order of the log, and nothing else", async () => {
    const backend = await open(newPath());
    await send(backend, "a", "b", "other", "a", "bb", "a");
    await backend.set("t:a", bytes("v"), plain());
    await send(backend, "b");
    const selection = { channels: ["t:a"], patterns: ["t:b*", "t:bb", "\0*"] };
    const of = async (from: Start) => texts(await all(backend.follow(selection, since(from))));
    expect(await of(START)).toEqual(["a0", "b1", "a3", "bb4", "a5", "b0"]);
    expect(await of({ last: 3 })).toEqual(["bb4", "a5", "b0"]);
    expect(await of({ last: 100 })).toEqual(["a0", "b1", "a3", "bb4", "a5", "b0"]);
    expect(await of({ last: 0 })).toEqual([]);
    expect(await read(backend, { last: 1 }, "t:nobody")).toEqual([]);
  });

  test("begins behind an id, at a moment, or so long ago", async () => {
    const path = newPath();
    const backend = await open(path);
    const [first, second] = await send(backend, "c", "c", "c");
    query(path, "UPDATE log SET n = n - 3600000 * 1024 WHERE n <= ?", numberOf(second));
    const old = (n: string | undefined) => numberOf(n) - 3_600_000 * 1024;
    expect(await read(backend, { after: old(first) }, "t:c")).toEqual(["c1", "c2"]);
    const at = Math.floor(old(first) / 1024);
    expect(await read(backend, { sinceMs: at }, "t:c")).toEqual(["c0", "c1", "c2"]);
    expect(await read(backend, { sinceMs: at + 1000 }, "t:c")).toEqual(["c2"]);
    expect(await read(backend, { agoMs: 3_000_000 }, "t:c")).toEqual(["c2"]);
    expect(await read(backend, { agoMs: 3_700_000 }, "t:c")).toEqual(["c0", "c1", "c2"]);
    expect(await read(backend, { agoMs: Date.now() + WEEK_MS }, "t:c")).toEqual(["c0", "c1", "c2"]);
    expect(await read(backend, { sinceMs: Date.now() + 60_000 }, "t:c")).toEqual([]);
  });

  test("is not a follower: nobody counts it, and it sees nothing that comes later", async () => {
    const path = newPath();
    const backend = await open(path);
    await count(backend, 0, 3);
    const follower = backend.follow(channels("t:c"), since(START));
    await follower.ready;
    expect((await backend.publish("t:c", bytes("later"), "me")).receivers).toBe(0);
    expect(query(path, "SELECT 1 FROM followers")).toEqual([]);
    expect(texts(await all(follower))).toEqual(range(0, 3));
    await follower.close();
  });

  test("can be left and closed in the middle", async () => {
    const backend = await open(newPath());
    await count(backend, 0, 600);
    for await (const item of backend.follow(channels("t:c"), since(START))) {
      expect(texts([item])).toEqual(["0"]);
      break;
    }
    const left = backend.follow(channels("t:c"), since(START));
    await take(left[Symbol.asyncIterator](), 1);
    await backend.close();
  });

  test("shows exactly what is retained, whatever else is still in the file", async () => {
    const path = newPath();
    const backend = await open(path, keeping(40));
    for (let sent = 0; sent < 100; sent++) {
      await count(backend, sent, sent + 1);
      expect(await read(backend, { last: 1000 }, "t:c")).toEqual(range(Math.max(0, sent - 39), sent + 1));
    }
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    await count(backend, 100, 200);
    expect(query(path, "SELECT count(*) AS rows FROM log")[0]?.rows).toBeGreaterThanOrEqual(100);
    expect(await read(backend, { last: 1000 }, "t:c")).toEqual(range(160, 200));
    expect(texts(await take(follower[Symbol.asyncIterator](), 100))).toEqual(range(100, 200));
  });

  test("shows nothing too old, and everything flagged", async () => {
    const path = newPath();
    const away = await open(path, { flagUnsynced: true });
    await count(away, 0, 3);
    const backend = await open(path, keeping(2, 60_000));
    await count(backend, 3, 5);
    query(path, "UPDATE log SET n = n - 120000 * 1024");
    query(path, "UPDATE streams SET oldest = oldest - 120000 * 1024, last = last - 120000 * 1024");
    expect(await read(backend, { last: 10 }, "t:c")).toEqual(["0", "1", "2"]);
    expect(await read(backend, START, "t:c")).toEqual(["0", "1", "2", "gap end"]);
    const [id] = await count(backend, 5, 6);
    expect(await read(backend, { last: 2 }, "t:c")).toEqual(["2", "5"]);
    expect(await read(backend, START, "t:c")).toEqual(["0", "1", "2", `gap ${id}`, "5"]);
  });

  test("shows nothing where nothing is kept, and what live followers wait for is not kept", async () => {
    const path = newPath();
    const backend = await open(path, keeping(0));
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    await count(backend, 0, 3);
    expect(await read(backend, { last: 10 }, "t:c")).toEqual([]);
    expect(await read(backend, START, "t:c")).toEqual(["gap end"]);
    const live = backend.follow(channels("t:c"), since({ last: 10 }, true));
    await live.ready;
    await count(backend, 3, 5);
    expect(texts(await take(live[Symbol.asyncIterator](), 2))).toEqual(["3", "4"]);
    expect(texts(await take(follower[Symbol.asyncIterator](), 5))).toEqual(range(0, 5));
    await until("what was read is gone", () => query(path, "SELECT 1 FROM log").length === 0);
  });

  test("of an empty prefix is of every board", async () => {
    const path = newPath();
    await count(await open(path), 0, 2);
    const everything = await open(path, { prefix: "" });
    await count(everything, 2, 4);
    expect(await read(everything, START, "t:c")).toEqual(range(0, 4));
    expect(await read(everything, { last: 3 }, "t:c")).toEqual(range(1, 4));
  });
});

describe("a gap", () => {
  test("says from where to where a channel misses something, before its next message", async () => {
    const path = newPath();
    const backend = await open(path, keeping(3));
    const [a] = await count(backend, 0, 1, "t:a");
    const begin = numberOf(a);
    const b = await count(backend, 0, 4, "t:b");
    await count(backend, 1, 3, "t:a");
    const items = await all(backend.follow({ channels: [], patterns: ["*"] }, since({ after: begin })));
    expect(texts(items)).toEqual([`gap ${b[1]}`, ...range(1, 4), ...range(1, 3)]);
    expect(items[0]).toEqual(gap("t:b", a, b[1]));
    expect(await read(backend, { after: numberOf(b[0]) }, "t:b")).toEqual(range(1, 4));
    expect(await read(backend, { last: 100 }, "t:b")).toEqual(range(1, 4));
  });

  test("comes at the end for a channel that has nothing more, of what is too old", async () => {
    const path = newPath();
    const backend = await open(path, keeping(10, 60_000));
    const [old] = await count(backend, 0, 1, "t:a");
    query(path, "UPDATE log SET n = n - 120000 * 1024");
    query(path, "UPDATE streams SET oldest = oldest - 120000 * 1024, last = last - 120000 * 1024");
    await count(backend, 0, 1, "t:b");
    const items = await all(backend.follow({ channels: [], patterns: ["*"] }, since(START)));
    expect(texts(items)).toEqual(["0", "gap end"]);
    expect(items[1]).toEqual(gap("t:a", "0-0", null));
    expect(await read(backend, { after: numberOf(old) - 119_000 * 1024 }, "t:a")).toEqual([]);
  });

  test("stands for what is dropped while a replay is read, of what it was to read", async () => {
    const path = newPath();
    const backend = await open(path);
    const sent = await count(backend, 0, 1000);
    const items = backend.follow({ channels: [], patterns: ["*"] }, since(START))[Symbol.asyncIterator]();
    await take(items, 10);
    await count(backend, 1000, 1600);
    await count(backend, 0, 3000, "t:new");
    const first = Number(query(path, "SELECT min(n) AS n FROM log")[0]?.n);
    const at = sent.findIndex((id) => numberOf(id) === first);
    expect(texts(await take(items, 246))).toEqual(range(10, 256));
    expect(await takeAny(items, 1)).toEqual([gap("t:c", sent[255], sent[at])]);
    expect(texts(await take(items, 10))).toEqual(range(at, at + 10));
    await count(backend, 1600, 5000);
    expect(texts(await take(items, 246))).toEqual(range(at + 10, at + 256));
    expect(await takeAny(items, 1)).toEqual([gap("t:c", sent[at + 255], null)]);
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  test("stands for a large payload that is dropped when its turn has come", async () => {
    const backend = await open(newPath(), keeping(2));
    const [small] = await count(backend, 0, 1);
    await backend.publish("t:c", Buffer.alloc(100_000), "me");
    const items = backend.follow(channels("t:c"), since(START))[Symbol.asyncIterator]();
    await take(items, 1);
    await count(backend, 1, 3);
    expect(await takeAny(items, 1)).toEqual([gap("t:c", small, null)]);
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  test("is told to a live follower whose row was removed, which then counts again", async () => {
    const path = newPath();
    const backend = await open(path, keeping(3));
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    const items = follower[Symbol.asyncIterator]();
    const [read] = await count(backend, 0, 1);
    await take(items, 1);
    query(path, "DELETE FROM followers");
    const sent = await count(backend, 1, 10);
    expect(await takeAny(items, 1)).toEqual([gap("t:c", read, sent[6])]);
    expect(texts(await take(items, 3))).toEqual(range(7, 10));
    const isBack = async () => (await backend.channels("t:c"))[0]?.followers === 1;
    await until("it counts again", isBack);
    await count(backend, 10, 20);
    expect(texts(await take(items, 10))).toEqual(range(10, 20));
    query(path, "DELETE FROM followers");
    const later = await count(backend, 20, 30);
    await until("it counts again, before it looks", isBack);
    expect(await takeAny(items, 1)).toEqual([gap("t:c", expect.any(String), later[7])]);
  });

  test("is told to a live follower that is further behind than the file holds messages for it", async () => {
    const path = newPath();
    const backend = await open(path, keeping(0));
    const follower = backend.follow({ channels: [], patterns: ["t:*"] }, LIVE);
    await follower.ready;
    const items = follower[Symbol.asyncIterator]();
    const overrun = async (from: number) => {
      await count(backend, from, from + 10);
      query(path, "UPDATE streams SET kept = kept + 100000 WHERE channel = ?", bytes("t:c"));
      await count(backend, from + 10, from + 11);
    };
    await count(backend, 0, 1, "t:other");
    await overrun(0);
    expect(texts(await take(items, 1))).toEqual(["0"]);
    expect(await takeAny(items, 1)).toEqual([gap("t:c", "0-0", null)]);
    await until("nothing is in the log", () => query(path, "SELECT 1 FROM log").length === 0);
    await overrun(20);
    expect(query(path, "SELECT 1 FROM log")).toEqual([]);
    expect(await takeAny(items, 1)).toEqual([gap("t:c", "0-0", null)]);
  });

  test("is told although the channel has nothing any more: it is not forgotten before", async () => {
    const path = newPath();
    const backend = await open(path);
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    await count(backend, 0, 3);
    const hasty = await open(path, keeping(100, 1));
    await until("the messages are dropped", async () => {
      for (let i = 0; i < 5; i++) await hasty.set("t:k", bytes("v"), plain());
      return query(path, "SELECT 1 FROM log WHERE kind = 'message'").length === 0;
    });
    for (let i = 0; i < 5; i++) await hasty.set("t:k", bytes("v"), plain());
    const items = follower[Symbol.asyncIterator]();
    expect(await takeAny(items, 1)).toEqual([gap("t:c", "0-0", null)]);
    await count(backend, 3, 4);
    expect(texts(await take(items, 1))).toEqual(["3"]);
  });
});

describe("a live follower with a past", () => {
  test("gets that first, then what comes", async () => {
    const backend = await open(newPath());
    await count(backend, 0, 600);
    const follower = backend.follow(channels("t:c"), since({ last: 500 }, true));
    await follower.ready;
    expect((await backend.publish("t:c", bytes("600"), "me")).receivers).toBe(1);
    await count(backend, 601, 700);
    expect(texts(await take(follower[Symbol.asyncIterator](), 600))).toEqual(range(100, 700));
  });

  test("has its past kept until it has read it", async () => {
    const backend = await open(newPath(), keeping(10));
    await count(backend, 0, 10);
    const follower = backend.follow(channels("t:c"), since(START, true));
    await follower.ready;
    await count(backend, 10, 1000);
    expect(texts(await take(follower[Symbol.asyncIterator](), 1000))).toEqual(range(0, 1000));
  });

  test("gets what comes even if it was to begin later than now", async () => {
    const backend = await open(newPath());
    const later = [{ after: Date.now() * 2048 }, { sinceMs: Date.now() + WEEK_MS }, { last: 0 }];
    await count(backend, 0, 1);
    for (const from of later) {
      const follower = backend.follow(channels("t:c"), since(from, true));
      await follower.ready;
      await count(backend, 1, 2);
      expect(texts(await take(follower[Symbol.asyncIterator](), 1))).toEqual(["1"]);
      await follower.close();
    }
  });

  test("misses nothing and gets nothing twice while another process publishes", async () => {
    const path = newPath();
    const backend = await open(path, keeping(100_000));
    const publisher = inProcess(
      path,
      `for (let n = 0, on = true; on; n++) {
        await backend.publish("t:c", bytes(String(n)), "child");
        if (n % 20 === 0) on = await Promise.race([told.then(() => false), new Promise((next) => setImmediate(next, true))]);
      }`,
      keeping(100_000),
    );
    await until("it publishes", async () => (await backend.channels("t:c")).length > 0);
    for (let round = 0; round < 20; round++) {
      const follower = backend.follow(channels("t:c"), since(round % 2 === 0 ? { last: 100 } : START, true));
      const got = messagesOf(await takeAny(follower[Symbol.asyncIterator](), 150 + round * 30));
      const first = Number(got[0]?.payload);
      expect(texts(got)).toEqual(range(first, first + got.length));
      await follower.close();
      const past = await read(backend, { last: 100 }, "t:c");
      expect(past).toEqual(range(Number(past[0]), Number(past[0]) + 100));
    }
    publisher.process.stdin?.write("enough\n");
    await succeed([publisher]);
  });
});

describe("closing", () => {
  test("leaves what has arrived in the log, where it is read from", async () => {
    const path = newPath();
    const backend = await open(path);
    const [whole, part] = [backend.follow(channels("t:c"), LIVE), backend.follow(channels("t:c"), LIVE)];
    await Promise.all([whole.ready, part.ready]);
    const sent = await count(backend, 0, 5000);
    const items = whole[Symbol.asyncIterator]();
    await take(items, 1);
    await whole.close();
    await whole.close();
    await count(backend, 5000, 5010);
    expect(texts(await take(items, 4999))).toEqual(range(1, 5000));
    expect(await within("its end", items.next())).toEqual({ done: true, value: undefined });
    await part.close();
    await count(backend, 5010, 5011);
    const first = Number(query(path, "SELECT min(n) AS n FROM log WHERE n > 0")[0]?.n);
    const rest = await all(part);
    expect(rest[0]).toEqual(
      gap(
        "t:c",
        "0-0",
        sent.find((id) => numberOf(id) === first),
      ),
    );
    expect(texts(rest.slice(1))).toEqual(range(5010 - (rest.length - 1), 5010));
  });

  test("amid a page lets through what came after the page was read", async () => {
    const backend = await open(newPath());
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    await count(backend, 0, 2);
    const items = follower[Symbol.asyncIterator]();
    await take(items, 1);
    await count(backend, 2, 4);
    await follower.close();
    await count(backend, 4, 5);
    expect(texts(await take(items, 3))).toEqual(range(1, 4));
    expect(await within("its end", items.next())).toEqual({ done: true, value: undefined });
  });

  test("with the store leaves a bounded part of it in memory", async () => {
    const backend = await open(newPath());
    const [many, large] = [backend.follow(channels("t:c"), LIVE), backend.follow(channels("t:large"), LIVE)];
    await Promise.all([many.ready, large.ready]);
    await count(backend, 0, 5000);
    for (let i = 0; i < 8; i++) await backend.publish("t:large", Buffer.alloc(4 * 1024 * 1024), "me");
    await backend.close();
    expect(texts(await all(many))).toEqual(range(0, 1000));
    expect(await all(large)).toHaveLength(4);
  });
});
