/** Expiry while keys are watched: on time although nobody touches the file, and once. */
import { afterEach, describe, expect, test } from "vitest";
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
