/** Watching keys within one process: what is told of changes, where it begins, what retention leaves. */
import { afterEach, describe, expect, test } from "vitest";
import type { Backend } from "../../src/core/backend.ts";
import { idToNumber } from "../../src/core/ids.ts";
import { until } from "../helpers/until.ts";
import {
  all,
  bytes,
  cleanUp,
  events,
  keys,
  LIVE,
  newPath,
  open,
  plain,
  query,
  since,
  takeAny,
} from "./memory-world.ts";

afterEach(cleanUp);

const DEL = { agent: "tester" };
const EVERYTHING = { keys: [], patterns: ["*"] };
const set = (backend: Backend, key: string, value: string) => backend.set(key, bytes(value), plain());

describe("a watcher", () => {
  test("gets what happens after it is ready, with event, value, size, id, author and time", async () => {
    const backend = await open(newPath());
    await set(backend, "t:k", "before");
    const follower = backend.follow(keys("t:k"), LIVE);
    await follower.ready;
    const written = await backend.set("t:k", bytes("é"), plain({ agent: "ann" }));
    await backend.del(["t:k"], { agent: "bob" });
    await backend.incr("t:k", 7n, "cy");
    const [first, second, third] = await takeAny(follower[Symbol.asyncIterator](), 3);
    const id = written.written ? written.id : "";
    const at = Number(id.split("-")[0]);
    const of = { key: "t:k", isInitial: false };
    expect(first).toEqual({ ...of, event: "set", value: bytes("é"), size: 2, id, by: "ann", at });
    const anyId = { id: expect.any(String), at: expect.any(Number) };
    expect(second).toEqual({ ...of, ...anyId, event: "del", value: null, size: null, by: "bob" });
    expect(third).toEqual({ ...of, ...anyId, event: "set", value: bytes("7"), size: 1, by: "cy" });
  });

  test("gets exact names and patterns, each change once, of every board, and never a message", async () => {
    const path = newPath();
    const backend = await open(path);
    const follower = backend.follow({ keys: ["t:a*", "t:ab"], patterns: ["t:a*", "*b"] }, LIVE);
    await follower.ready;
    const other = await open(path, { prefix: "" });
    for (const key of ["t:ab", "t:a*", "t:c", "xb", "x"]) {
      await set(other, key, "v");
      await backend.publish(key, bytes("m"), "me");
    }
    await follower.close();
    expect(events(await all(follower))).toEqual(["set t:ab v", "set t:a* v", "set xb v"]);
  });

  test("of an exact name does not get what only looks like it", async () => {
    const backend = await open(newPath());
    const follower = backend.follow(keys("t:a*"), LIVE);
    await follower.ready;
    await set(backend, "t:ab", "v");
    await follower.close();
    expect(await all(follower)).toEqual([]);
  });

  test("gets each key of a deletion of many, and nothing of what changes nothing", async () => {
    const backend = await open(newPath());
    for (const key of ["t:a", "t:b", "t:c"]) await set(backend, key, key);
    const follower = backend.follow(EVERYTHING, LIVE);
    await follower.ready;
    await backend.expire("t:a", 60_000);
    await backend.set("t:a", bytes("x"), plain({ condition: { if: "absent" } }));
    await backend.del(["t:a", "t:no", "t:b", "t:c"], DEL);
    await follower.close();
    expect(events(await all(follower))).toEqual(["del t:a", "del t:b", "del t:c"]);
  });

  test("gets values of every size, but those over 64 KiB without their bytes", async () => {
    const backend = await open(newPath());
    const follower = backend.follow(EVERYTHING, LIVE);
    await follower.ready;
    const sizes = [0, 4096, 4097, 65_536, 65_537, 1_000_000];
    for (const size of sizes) await backend.set("t:k", Buffer.alloc(size, size % 251), plain());
    const items = await takeAny(follower[Symbol.asyncIterator](), sizes.length);
    expect(items.map((item) => "event" in item && item.size)).toEqual(sizes);
    for (const [i, item] of items.entries()) {
      const size = sizes[i] ?? 0;
      const value = size > 65_536 ? null : Buffer.alloc(size, size % 251);
      expect("event" in item && item.value).toEqual(value);
    }
  });

  test("is no listener of channels, but a follower of the board", async () => {
    const backend = await open(newPath());
    const watcher = backend.follow({ keys: ["t:c"], patterns: ["*"] }, LIVE);
    const listener = backend.follow({ channels: [], patterns: ["*", "\0*"] }, LIVE);
    await Promise.all([watcher.ready, listener.ready]);
    expect((await backend.publish("t:c", bytes("m"), "me")).receivers).toBe(1);
    expect(await backend.channels("*")).toMatchObject([{ channel: "t:c", followers: 1 }]);
    expect((await backend.status()).stores[0]).toMatchObject({ followers: 2 });
    await set(backend, "t:c", "v");
    await Promise.all([watcher.close(), listener.close()]);
    expect(events(await all(watcher))).toEqual(["set t:c v"]);
    expect(await all(listener)).toHaveLength(1);
  });

  test("that is slow loses nothing, whatever the limit, and lets go of the rest when it leaves", async () => {
    const path = newPath();
    const backend = await open(path, { history: { messagesPerChannel: 5, changes: 5, maxAgeMs: 60_000 } });
    const follower = backend.follow(keys("t:k"), LIVE);
    await follower.ready;
    for (let i = 0; i < 300; i++) await set(backend, i % 3 === 0 ? "t:k" : "t:other", String(i));
    const items = await takeAny(follower[Symbol.asyncIterator](), 100);
    expect(events(items)).toEqual(Array.from({ length: 100 }, (_, i) => `set t:k ${i * 3}`));
    await follower.close();
    await set(backend, "t:k", "last");
    expect(query(path, "SELECT 1 FROM log")).toHaveLength(5);
  });

  test("of rare keys holds up nothing that it has passed", async () => {
    const path = newPath();
    const backend = await open(path, { history: { messagesPerChannel: 5, changes: 5, maxAgeMs: 60_000 } });
    const follower = backend.follow(keys("t:rare"), LIVE);
    const waiting = takeAny(follower[Symbol.asyncIterator](), 1);
    await follower.ready;
    for (let i = 0; i < 300; i++) await set(backend, "t:often", String(i));
    expect(query(path, "SELECT 1 FROM log")).toHaveLength(300);
    await until("they are gone", () => query(path, "SELECT 1 FROM log").length === 5, 3000);
    await set(backend, "t:rare", "v");
    expect(events(await waiting)).toEqual(["set t:rare v"]);
  });

  test("that is far behind is dropped for, and told", async () => {
    const path = newPath();
    const backend = await open(path, { history: { messagesPerChannel: 5, changes: 5, maxAgeMs: 60_000 } });
    const follower = backend.follow(keys("t:k"), LIVE);
    await follower.ready;
    const items = follower[Symbol.asyncIterator]();
    await set(backend, "t:k", "read");
    const [read] = await takeAny(items, 1);
    for (let i = 0; i < 20; i++) await set(backend, "t:k", String(i));
    query(path, "UPDATE streams SET kept = kept + 100000"); // as if so many were held for it
    await set(backend, "t:other", "v"); // takes them, and itself, away
    const { id } = (await set(backend, "t:k", "next")) as { id: string };
    const after = read !== undefined && "id" in read ? read.id : null;
    expect(await takeAny(items, 2)).toEqual([
      { gap: { channel: null, after, next: id } },
      expect.objectContaining({ value: bytes("next") }),
    ]);
  });

  test("is not waited for by messages, nor a listener by changes", async () => {
    const path = newPath();
    const backend = await open(path, { history: { messagesPerChannel: 5, changes: 5, maxAgeMs: 60_000 } });
    const listener = backend.follow({ channels: [], patterns: ["*", "\0*"] }, LIVE);
    await listener.ready;
    for (let i = 0; i < 20; i++) await set(backend, "t:k", "v");
    expect(query(path, "SELECT 1 FROM log")).toHaveLength(5);
    await listener.close();
    const watcher = backend.follow(keys("t:k"), LIVE);
    await watcher.ready;
    for (let i = 0; i < 20; i++) await backend.publish("t:c", bytes("m"), "me");
    expect(query(path, "SELECT 1 FROM log WHERE kind = 'message'")).toHaveLength(5);
  });
});

describe("what was logged before", () => {
  test("comes from behind an id, without and with what follows, and at every point to stop at", async () => {
    const backend = await open(newPath());
    const written = ["set t:a 0"];
    await set(backend, "t:a", "0");
    const first = await backend.position();
    for (let i = 1; i < 8; i++) {
      await set(backend, i % 2 === 0 ? "t:a" : "t:b", String(i));
      await backend.publish("t:a", bytes("m"), "me");
      written.push(`set ${i % 2 === 0 ? "t:a" : "t:b"} ${i}`);
    }
    for (let read = 0; read < 8; read++) {
      const before = await all(backend.follow(EVERYTHING, since({ last: 8 })));
      const last = before[read];
      const after = last !== undefined && "id" in last ? idToNumber(last.id ?? "") : null;
      const rest = await all(backend.follow(EVERYTHING, since({ after: after ?? 0 })));
      expect(events([...before.slice(0, read + 1), ...rest])).toEqual(written);
    }
    const live = backend.follow(keys("t:b"), since({ after: first }, true));
    await set(backend, "t:b", "now");
    const items = await takeAny(live[Symbol.asyncIterator](), 5);
    expect(events(items)).toEqual(["set t:b 1", "set t:b 3", "set t:b 5", "set t:b 7", "set t:b now"]);
  });

  test("comes as so many of the newest of the selected keys, or all", async () => {
    const backend = await open(newPath());
    await set(backend, "t:rare", "1");
    await backend.del(["t:rare"], DEL);
    for (let i = 0; i < 2500; i++) await set(backend, "t:often", String(i));
    await set(backend, "t:rare", "2");
    const last = async (count: number) =>
      events(await all(backend.follow(keys("t:rare", "t:no"), since({ last: count }))));
    expect(await last(0)).toEqual([]);
    expect(await last(1)).toEqual(["set t:rare 2"]);
    expect(await last(2)).toEqual(["del t:rare", "set t:rare 2"]);
    for (const count of [3, 4, 5000, Number.POSITIVE_INFINITY]) {
      expect(await last(count)).toEqual(["set t:rare 1", "del t:rare", "set t:rare 2"]);
    }
  });

  test("is as much as retention promises of changes, and what is missing is told if it was asked for", async () => {
    const backend = await open(newPath(), {
      history: { messagesPerChannel: 3, changes: 16, maxAgeMs: 60_000 },
    });
    await set(backend, "t:k", "old");
    const position = await backend.position();
    for (let i = 0; i < 18; i++) await set(backend, "t:k", String(i));
    const shown = Array.from({ length: 16 }, (_, i) => `set t:k ${i + 2}`);
    expect(events(await all(backend.follow(EVERYTHING, since({ last: 100 }))))).toEqual(shown);
    const asked = await all(backend.follow(EVERYTHING, since({ after: position })));
    expect(events(asked).slice(1)).toEqual(shown);
    expect(asked[0]).toMatchObject({ gap: { channel: null } });
    const other = await all(backend.follow(keys("t:other"), since({ after: position })));
    expect(other).toEqual([asked[0]]);
  });
});

describe("values with what is known of them", () => {
  test("are of one moment, in the order asked for; large ones are left out, absent ones null", async () => {
    const backend = await open(newPath());
    const written = await backend.set("t:a", bytes("12345"), plain({ agent: "ann", ttlMs: 60_000 }));
    await set(backend, "t:empty", "");
    await backend.set("t:gone", bytes("x"), plain({ ttlMs: 1 }));
    await until("it is expired", async () => (await backend.exists(["t:gone"])) === 0);
    const [a, gone, empty, no] = await backend.read(["t:a", "t:gone", "t:empty", "t:no"], 5);
    const id = written.written ? written.id : "";
    const at = Number(id.split("-")[0]);
    expect(a).toMatchObject({ key: "t:a", value: bytes("12345"), size: 5, id, by: "ann", at });
    expect(a?.ttlMs).toBeGreaterThan(50_000);
    expect(empty).toMatchObject({ value: bytes(""), size: 0, ttlMs: null });
    expect([gone, no]).toEqual([null, null]);
    expect(await backend.read(["t:a"], 4)).toMatchObject([{ value: null, size: 5, id }]);
    expect(await backend.read(["t:a"], Number.POSITIVE_INFINITY)).toMatchObject([{ value: bytes("12345") }]);
    expect(await backend.describe(["t:a"])).toMatchObject([{ id }]);
  });

  test("go with the position: what is written later has a greater number", async () => {
    const backend = await open(newPath());
    expect(await backend.position()).toBe(0);
    await set(backend, "t:k", "v");
    const position = await backend.position();
    expect(idToNumber((await backend.read(["t:k"], 10))[0]?.id ?? "")).toBe(position);
    await set(backend, "t:k", "w");
    expect(idToNumber((await backend.read(["t:k"], 10))[0]?.id ?? "")).toBeGreaterThan(position);
  });
});
