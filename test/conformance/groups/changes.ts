/** What is a change and what is not, and what is told of each. */
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import type { Target } from "../target.ts";
import { inWords } from "../wording.ts";
import { idsOf, writerOf } from "../writing.ts";

/** The largest value that is in the log. */
const LOGGED_BYTES = 65_536;
/** An expiry is told within a second; the rest is for two busy cores. */
const PROMISED_MS = 1000;
const BUSY_MS = 2000;
/** Our clock and the store's are the same machine's, but round differently. */
const ROUNDING_MS = 2;

const VALUES: ReadonlyArray<string | Uint8Array> = [
  "",
  "two\nlines\n",
  "日本語 🦊",
  Buffer.from([0xff, 0x00, 0x80, 0x0a]),
  Buffer.alloc(LOGGED_BYTES, 0xc3),
  Buffer.alloc(300_000, 0xc3),
];

export function changes(target: Target): void {
  test("are what is set, counted, deleted and cleared, and nothing else", async () => {
    const board = await target.open();
    const watcher = await board.watch(["*"]);
    const writer = await target.aside(board);
    await writer.set("key", "1");
    await writer.set("key", "1"); // the same again is a change
    await writer.set("key", "2", { if: "absent" });
    await writer.set("key", "2", { ifValue: "3" });
    await writer.set("none", "2", { if: "present" });
    await writer.set("key", "2", { ifValue: "1" });
    await writer.incr("key", 40n);
    await writer.expire("key", 60_000);
    await writer.persist("key");
    await writer.publish("key", "a message");
    await writer.del("none");
    await writer.set("other", "x", { if: "absent" });
    await writer.del("key", "none", "key");
    await writer.clear("nothing*");
    await writer.clear();
    await writer.set("end", "");
    const heard = "set key 1,set key 1,set key 2,set key 42,set other x,del key,del other,set end ";
    expect((await watcher.take(8)).map(inWords).join()).toBe(heard);
    expect(watcher.items()).toHaveLength(8);
  });

  test("tell who made them, when, as which entry, and how large the value is", async () => {
    const board = await target.open({ agent: "sender, 作者" });
    const watcher = await board.watch(["a key: 日本"]);
    const other = await writerOf(target, board, "other");
    const before = Date.now();
    const answer = await board.set("a key: 日本", "größe");
    await other.del("a key: 日本");
    const after = Date.now();
    const [set, del] = await watcher.take(2);
    const id = answer.written ? answer.id : "";
    expect(set).toMatchObject({ event: "set", key: "a key: 日本", id, by: "sender, 作者", size: 7 });
    expect(set).toMatchObject({ value: Buffer.from("größe"), isInitial: false });
    expect(del).toMatchObject({ event: "del", key: "a key: 日本", by: "other", size: null, value: null });
    for (const at of [set?.at, del?.at]) {
      expect(at).toBeGreaterThanOrEqual(before - ROUNDING_MS);
      expect(at).toBeLessThanOrEqual(after + ROUNDING_MS);
    }
  });

  test("bring every value byte for byte, a large one too", async () => {
    const board = await target.open();
    const watcher = await board.watch(["bytes*"]);
    const writer = await target.aside(board);
    for (const [index, value] of VALUES.entries()) await writer.set(`bytes:${index}`, value);
    const seen = await watcher.take(VALUES.length);
    for (const [index, value] of VALUES.entries()) {
      expect(seen[index]?.value?.equals(Buffer.from(value)), String(index)).toBe(true);
      expect(seen[index]?.size).toBe(Buffer.byteLength(value));
    }
  });

  test("of a value over 64 KiB that is gone tell its size, and never another value", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const [most, more] = [Buffer.alloc(LOGGED_BYTES, "m"), Buffer.alloc(LOGGED_BYTES + 1, "x")];
    for (const value of [most, more, Buffer.alloc(LOGGED_BYTES + 1, "y")]) await writer.set("key", value);
    await writer.set("deleted", more);
    await writer.del("deleted");
    const watcher = await board.watch(["*"], { last: 9, live: false });
    await watcher.ended;
    const told = watcher.seen().map(({ key, event, value, size }) => {
      const content = value === null ? "nothing" : `${value.length} ${String.fromCharCode(value[0] ?? 0)}`;
      return `${event} ${key} ${size}: ${content}`;
    });
    expect(told).toEqual([
      "set key 65536: 65536 m",
      "set key 65537: nothing",
      "set key 65537: 65537 y",
      "set deleted 65537: nothing",
      "del deleted null: nothing",
    ]);
  });

  test("are selected by names and patterns; what matches twice comes once", async () => {
    const board = await target.open();
    const watcher = await board.watch(["exact", "job:*", "job:1", "*:1", "job:[12]", "é?", "a\\*"]);
    const writer = await target.aside(board);
    const written = ["exact", "job:1", "job:2", "other:1", "no", "exactly", "job", "éa", "ab", "a*", "job:1"];
    for (const [index, key] of written.entries()) await writer.set(key, String(index));
    const wanted = ["exact 0", "job:1 1", "job:2 2", "other:1 3", "éa 7", "a* 9", "job:1 10"];
    const heard = (await watcher.take(wanted.length)).map(({ key, value }) => `${key} ${value}`);
    expect(heard).toEqual(wanted);
    expect(watcher.items()).toHaveLength(wanted.length);
  });

  test("of other boards are not heard, nor do changes count as messages", async () => {
    const [board, other] = [await target.open({ prefix: "x" }), await target.open({ prefix: "x*" })];
    const watcher = await board.watch(["*"]);
    const [writer, stranger] = [await target.aside(board), await target.aside(other)];
    await stranger.set("key", "not yours");
    await writer.set("key", "yours");
    expect((await watcher.take(1)).map(inWords)).toEqual(["set key yours"]);
    expect((await writer.publish("key", "x")).receivers).toBe(0);
    expect(await writer.channels("*")).toMatchObject([{ channel: "key", messages: 1, followers: 0 }]);
    expect((await writer.status()).stores[0]).toMatchObject({ followers: 1, channels: 1, messages: 1 });
  });

  test("include an expiry, within a second though nobody reads the key, once however many watch", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const [near, ...others] = [
      await writer.watch(["short"]),
      await writer.watch(["*"]),
      await board.watch(["sh*", "short"]),
    ];
    const before = Date.now();
    await writer.set("short", "v", { ttlMs: 400 });
    const due = Date.now() + 400;
    const [, expired] = await near.take(2);
    expect(Date.now() - due, "told late").toBeLessThan(PROMISED_MS + BUSY_MS);
    expect(expired).toMatchObject({ event: "expired", key: "short", by: null, value: null, size: null });
    expect(expired?.at).toBeGreaterThanOrEqual(before + 400 - ROUNDING_MS);
    expect(expired?.at).toBeLessThanOrEqual(due + PROMISED_MS + BUSY_MS);
    await writer.set("short", "again");
    const seen = await near.take(3);
    for (const other of others) expect(await other.take(3)).toEqual(seen);
    expect(new Set(idsOf(seen)).size).toBe(3);
    expect(await writer.history("short")).toEqual(seen);
  });

  test("include no expiry of what was written, renewed or kept before its time", async () => {
    const board = await target.open();
    const watcher = await board.watch(["*"]);
    const writer = await target.aside(board);
    for (const key of ["written", "renewed", "kept", "deleted"]) await writer.set(key, "v", { ttlMs: 1000 });
    await writer.set("written", "w");
    await writer.expire("renewed", 60_000);
    await writer.persist("kept");
    await writer.del("deleted");
    await writer.set("last", "v", { ttlMs: 1200 });
    await until("the last to expire", () => watcher.seen().at(-1)?.event === "expired");
    const wanted = ["set written w", "del deleted", "set last v", "expired last"];
    expect(watcher.seen().slice(4).map(inWords)).toEqual(wanted);
  });

  test("tell of an expiry before what comes after it, whoever is first to notice", async () => {
    const board = await target.open();
    const watcher = await board.watch(["*"]);
    const writer = await target.aside(board);
    const rounds = 8;
    for (let round = 0; round < rounds; round++) {
      const key = `key:${round}`;
      await writer.set(key, "short", { ttlMs: 20 });
      // Sometimes its writer notices, sometimes its reader, sometimes neither.
      if (round % 2 === 0) await until("its end", async () => (await writer.exists(key)) === 0);
      await until("it to be absent", async () => (await writer.set(key, "next", { if: "absent" })).written);
    }
    const seen = await watcher.take(3 * rounds);
    for (let round = 0; round < rounds; round++) {
      const key = `key:${round}`;
      const ofKey = seen.filter((change) => change.key === key).map(inWords);
      expect(ofKey).toEqual([`set ${key} short`, `expired ${key}`, `set ${key} next`]);
    }
  });
}
