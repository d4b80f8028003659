/** Expiry while keys are watched: on time although nobody touches the file, and once. */
import { afterEach, describe, expect, test } from "vitest";
import { Board } from "../../src/backends/memory/board.ts";
import { Expiries } from "../../src/backends/memory/expiries.ts";
import { openDatabase } from "../../src/backends/memory/opening.ts";
import type { Backend } from "../../src/core/backend.ts";
import { until, within } from "../helpers/until.ts";
import { lockFile } from "./memory-consumer-world.ts";
import {
  all,
  bytes,
  cleanUp,
  events,
  keys,
  kindsOf,
  LIVE,
  newPath,
  open,
  plain,
  query,
  settings,
  since,
  takeAny,
} from "./memory-world.ts";

afterEach(cleanUp);

const EVERYTHING = { keys: [], patterns: ["*"] };
const setFor = (backend: Backend, key: string, ttlMs: number) =>
  backend.set(key, bytes("v"), plain({ ttlMs }));

describe("a watched key that expires", () => {
  test("is told of within a second, though nobody does anything, as nobody's change", async () => {
    const path = newPath();
    const backend = await open(path);
    await setFor(backend, "t:k", 300);
    const follower = backend.follow(keys("t:k"), LIVE);
    await follower.ready;
    const [change] = await within("it expires", takeAny(follower[Symbol.asyncIterator](), 1), 1300);
    expect(change).toMatchObject({ event: "expired", key: "t:k", value: null, size: null, by: null });
    expect(kindsOf(path, "t:k")).toEqual(["set", "expired"]);
  });

  test("does so at the time that other boards and connections set meanwhile", async () => {
    const path = newPath();
    const backend = await open(path);
    await setFor(backend, "t:later", 60_000);
    await setFor(backend, "t:kept", 400);
    const follower = backend.follow(EVERYTHING, LIVE);
    await follower.ready;
    const items = follower[Symbol.asyncIterator]();
    const other = await open(path, { prefix: "x" });
    await setFor(other, "x:k", 100);
    await other.expire("t:kept", null);
    await other.expire("t:later", 200);
    const told = takeAny(items, 3);
    expect(events(await within("both expire", told, 1300))).toEqual([
      "set x:k v",
      "expired x:k",
      "expired t:later",
    ]);
    expect(await backend.ttl("t:kept")).toBeNull();
    await setFor(other, "x:again", 100);
    expect(events(await within("it expires", takeAny(items, 2), 800)).at(-1)).toBe("expired x:again");
  });

  test("is one of many: each is told of, once", async () => {
    const path = newPath();
    const backend = await open(path);
    const names = Array.from({ length: 250 }, (_, i) => `t:${i}`);
    for (const name of names) await setFor(backend, name, 400);
    const [one, two] = [backend.follow(EVERYTHING, LIVE), backend.follow(EVERYTHING, LIVE)];
    await Promise.all([one.ready, two.ready]);
    const told = [one, two].map((follower) => takeAny(follower[Symbol.asyncIterator](), 250));
    for (const items of await within("all expire", Promise.all(told), 1400 + 1000)) {
      expect(new Set(events(items)).size).toBe(250);
    }
    expect(kindsOf(path, "t:249")).toEqual(["set", "expired"]);
  });

  test("before somebody watches is in the log, not in the news", async () => {
    const backend = await open(newPath());
    await setFor(backend, "t:old", 1);
    await until("it expires", async () => (await backend.exists(["t:old"])) === 0);
    const follower = backend.follow(EVERYTHING, LIVE);
    await follower.ready;
    await setFor(backend, "t:new", 60_000);
    expect(events(await takeAny(follower[Symbol.asyncIterator](), 1))).toEqual(["set t:new v"]);
    const history = await all(backend.follow(keys("t:old"), since({ last: 2 })));
    expect(events(history)).toEqual(["set t:old v", "expired t:old"]);
  });

  test("while the file is locked is told of when it is free", async () => {
    const path = newPath();
    const backend = await open(path, { timeoutMs: 30 });
    await setFor(backend, "t:k", 150);
    const follower = backend.follow(keys("t:k"), LIVE);
    await follower.ready;
    const lock = lockFile(path);
    const at = Date.now() + 150;
    await until("it was tried in vain", () => Date.now() > at + 100);
    const told = takeAny(follower[Symbol.asyncIterator](), 1);
    lock.release();
    expect(events(await within("it expires, sooner than by the slow poll", told, 600))).toEqual([
      "expired t:k",
    ]);
  });
});

test("what sees to expiries tells once that it cannot go on, though whoever is told wakes it", async () => {
  const path = newPath();
  const db = await openDatabase(settings(path));
  let told = 0;
  const companion = new Expiries(new Board(db, settings(path))).watch(() => {
    told++;
    companion.wake();
  });
  query(path, "DROP TABLE entries");
  companion.wake();
  await until("it is told", () => told > 0);
  const at = Date.now();
  await until("it would have looked again", () => Date.now() > at + 100);
  expect(told).toBe(1);
  companion.stop();
  db.close();
});

describe("keys that are overdue, very many of them", () => {
  const overdue = (path: string) => query(path, "SELECT count(*) AS count FROM entries")[0]?.count;

  /** In one statement: as left by a board that nobody has touched for a while. */
  function leave(path: string, count: number): void {
    query(
      path,
      `INSERT INTO entries (name, expires_at, author, board, first, last, value)
      WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < ?)
      SELECT CAST('t:' || i AS BLOB), i, 'gone', 't', 1, 1, x'' FROM numbers`,
      count,
    );
  }

  test("are cleared in steps between which everything else has its turn", async () => {
    const path = newPath();
    const backend = await open(path, {
      history: { messagesPerChannel: 5, changes: 10_000, maxAgeMs: 60_000 },
    });
    leave(path, 5000);
    const follower = backend.follow(EVERYTHING, { ...LIVE, live: false });
    let turns = 0;
    const count = setInterval(() => turns++, 0);
    await within("it has begun", follower.ready, 3000);
    clearInterval(count);
    expect(turns).toBeGreaterThan(5);
    expect(overdue(path)).toBe(0);
    const history = await all(backend.follow(EVERYTHING, since({ last: 10_000 })));
    expect(new Set(events(history)).size).toBe(5000);
  });

  test("are cleared for a while; what is left comes as news", async () => {
    const path = newPath();
    const backend = await open(path, { timeoutMs: 20 });
    leave(path, 9000);
    const follower = backend.follow(EVERYTHING, LIVE);
    await within("it has begun", follower.ready, 5000);
    const left = Number(overdue(path));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(9000);
    const news = await takeAny(follower[Symbol.asyncIterator](), left);
    expect(new Set(events(news)).size).toBe(left);
    expect(overdue(path)).toBe(0);
    expect(kindsOf(path, "t:9000")).toEqual(["expired"]);
  });

  test.each(["follower", "store"])("stay where they are when the %s is closed", async (what) => {
    const path = newPath();
    const backend = await open(path);
    leave(path, 100_000);
    const [live, replay] = [backend.follow(EVERYTHING, LIVE), backend.follow(EVERYTHING, since({ last: 5 }))];
    if (what === "store") await backend.close();
    else await Promise.all([live.close(), replay.close()]);
    await within("both end", Promise.all([live.ready, replay.ready]), 2000);
    expect(overdue(path)).toBeGreaterThan(99_000);
    expect(await all(live)).toEqual([]);
    expect((await all(replay)).length).toBe(5);
  });

  test("hold up a worker for a while, and not its store's end", async () => {
    const path = newPath();
    const backend = await open(path, { timeoutMs: 20 });
    leave(path, 100_000);
    const options = { begin: "now", agent: "me", ackTimeoutMs: 5000, onState: () => {} } as const;
    await within("it has joined", backend.work("one", keys("t:k"), options), 5000);
    const joining = backend.work("two", keys("t:k"), options);
    await backend.close();
    await expect(joining).rejects.toThrow("closed");
    expect(overdue(path)).toBeGreaterThan(50_000);
  });
});
