/** Following channels within one process; `memory-processes.test.ts` does it across several. */
import { DatabaseSync } from "@photostructure/sqlite";
import { afterEach, describe, expect, test } from "vitest";
import { Waker } from "../../src/backends/memory/waker.ts";
import { until, within } from "../helpers/until.ts";
import {
  all,
  bytes,
  channels,
  cleanUp,
  LIVE,
  messagesOf,
  newPath,
  open,
  plain,
  query,
  take,
  takeAny,
  texts,
} from "./memory-world.ts";

afterEach(cleanUp);

describe("a follower", () => {
  test("gets what is sent after it is ready, with channel, id, author and time", async () => {
    const path = newPath();
    const backend = await open(path);
    await backend.publish("t:c", bytes("before"), "ann");
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    const sent = await backend.publish("t:c", bytes("after"), "bob");
    expect(sent.receivers).toBe(1);
    const [message] = await take(follower[Symbol.asyncIterator](), 1);
    const at = Number(sent.id.split("-")[0]);
    expect(message).toEqual({
      channel: "t:c",
      payload: bytes("after"),
      id: sent.id,
      by: "bob",
      at,
      failure: null,
    });
  });

  test("gets exact names and patterns, each message once, and never a change of a key", async () => {
    const backend = await open(newPath());
    const follower = backend.follow(
      { channels: ["t:a*", "t:ab"], patterns: ["t:a*", "*b", "\0*", "*"] },
      LIVE,
    );
    await follower.ready;
    for (const channel of ["t:ab", "t:a*", "t:other"]) {
      await backend.set(channel, bytes("value"), plain());
      expect((await backend.publish(channel, bytes(channel), "me")).receivers).toBe(1);
    }
    await follower.close();
    expect(messagesOf(await all(follower)).map(({ channel }) => channel)).toEqual([
      "t:ab",
      "t:a*",
      "t:other",
    ]);
  });

  test("of an exact name does not get what only looks like it", async () => {
    const backend = await open(newPath());
    const follower = backend.follow(channels("t:a*"), LIVE);
    await follower.ready;
    expect((await backend.publish("t:ab", bytes("m"), "me")).receivers).toBe(0);
    await follower.close();
    expect(await all(follower)).toEqual([]);
  });

  test("hears every board whose names it selects, as with redis", async () => {
    const path = newPath();
    const all = await open(path, { prefix: "" });
    const follower = all.follow({ channels: [], patterns: ["*"] }, LIVE);
    await follower.ready;
    expect((await (await open(path)).publish("t:c", bytes("m"), "me")).receivers).toBe(1);
    const [message] = await take(follower[Symbol.asyncIterator](), 1);
    expect(message?.channel).toBe("t:c");
  });

  test("can be closed while the file is locked", async () => {
    const path = newPath();
    const backend = await open(path, { timeoutMs: 30 });
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    await follower.close();
    other.exec("ROLLBACK");
    other.close();
    expect(await all(follower)).toEqual([]);
  });

  test("gives what had arrived when it was closed, by itself or with the store, and ends", async () => {
    const backend = await open(newPath());
    const closed = backend.follow(channels("t:c"), LIVE);
    const dropped = backend.follow(channels("t:c"), LIVE);
    await Promise.all([closed.ready, dropped.ready]);
    for (const text of ["1", "2"])
      expect((await backend.publish("t:c", bytes(text), "me")).receivers).toBe(2);
    await closed.close();
    await closed.close();
    expect((await backend.publish("t:c", bytes("3"), "me")).receivers).toBe(1);
    await backend.close();
    await backend.close();
    expect(texts(await all(closed))).toEqual(["1", "2"]);
    expect(texts(await all(dropped))).toEqual(["1", "2", "3"]);
  });

  test("is closed by leaving its loop, and by being closed while the loop waits", async () => {
    const backend = await open(newPath());
    const left = backend.follow(channels("t:c"), LIVE);
    const waiting = backend.follow(channels("t:c"), LIVE);
    const ended = all(waiting);
    await left.ready;
    await backend.publish("t:c", bytes("m"), "me");
    for await (const item of left) {
      expect(texts([item])).toEqual(["m"]);
      break;
    }
    expect((await backend.publish("t:c", bytes("n"), "me")).receivers).toBe(1);
    await waiting.close();
    expect(await within("the loop ends", ended)).toHaveLength(2);
    expect((await backend.publish("t:c", bytes("o"), "me")).receivers).toBe(0);
  });

  test("that is slow loses nothing, whatever the limit", async () => {
    const backend = await open(newPath(), {
      history: { messagesPerChannel: 5, changes: 5, maxAgeMs: 60_000 },
    });
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    const got: number[] = [];
    let sent = 0;
    await backend.publish("t:c", bytes(String(sent++)), "me");
    for await (const item of follower) {
      got.push(Number(texts([item])));
      if (got.length === 200) break;
      for (let i = 0; i < 3; i++) await backend.publish("t:c", bytes(String(sent++)), "me");
    }
    expect(got).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  test("that has much to read lets the process do other things, too", async () => {
    const backend = await open(newPath());
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    await Promise.all(Array.from({ length: 2000 }, () => backend.publish("t:c", bytes("m"), "me")));
    let hadATurn = false;
    setImmediate(() => {
      hadATurn = true;
    });
    let read = 0;
    for await (const _ of follower) if (++read === 2000 || hadATurn) break;
    expect(read).toBeLessThan(600);
  });

  test("is told when it missed something, and goes on", async () => {
    const path = newPath();
    const backend = await open(path);
    const [missing, other] = [backend.follow(channels("t:c"), LIVE), backend.follow(channels("t:x"), LIVE)];
    await Promise.all([missing.ready, other.ready]);
    const items = missing[Symbol.asyncIterator]();
    const read = await backend.publish("t:c", bytes("read"), "me");
    await take(items, 1);
    await backend.publish("t:c", bytes("missed"), "me");
    // To this one the message is of age at once; the follower has not read it, as if it had been stopped for a week.
    const hasty = await open(path, { history: { messagesPerChannel: 100, changes: 5, maxAgeMs: 1 } });
    await until("the message is dropped", async () => {
      await hasty.set("t:k", bytes("v"), plain());
      return query(path, "SELECT 1 FROM log WHERE kind = 'message'").length === 0;
    });
    await backend.publish("t:x", bytes("m"), "me");
    const sent = await backend.publish("t:c", bytes("next"), "me");
    const gap = { gap: { channel: "t:c", after: read.id, next: sent.id } };
    expect(await takeAny(items, 2)).toEqual([gap, expect.objectContaining({ id: sent.id })]);
    expect(texts(await takeAny(other[Symbol.asyncIterator](), 1))).toEqual(["m"]);
  });

  test("counts for the channels it selects, listed by exact name", async () => {
    const backend = await open(newPath());
    const exact = backend.follow(channels("t:quiet"), LIVE);
    const glob = backend.follow({ channels: [], patterns: ["t:*"] }, LIVE);
    await Promise.all([exact.ready, glob.ready]);
    const { id } = await backend.publish("t:loud", bytes("m"), "me");
    const listed = await backend.channels("t:*");
    expect(listed).toHaveLength(2);
    expect(listed).toContainEqual({ channel: "t:quiet", messages: 0, followers: 2, lastId: null });
    expect(listed).toContainEqual({ channel: "t:loud", messages: 1, followers: 1, lastId: id });
    expect((await backend.status()).stores[0]).toMatchObject({ followers: 2, messages: 1, channels: 1 });
  });
});

describe("the waker", () => {
  test("polls where the directory cannot be watched", async () => {
    const waker = new Waker("/nowhere/at/all/board.db");
    const start = performance.now();
    for (let i = 0; i < 4; i++) await waker.next();
    expect(performance.now() - start).toBeLessThan(1000); // slow polls would take 4 s
    waker.stop();
  });

  test("does not lose a change between two waits", async () => {
    const path = newPath();
    const backend = await open(path);
    const waker = new Waker(path);
    await backend.set("t:k", bytes("v"), plain());
    await within("the change", waker.next(), 900); // sooner than the slow poll
    waker.stop();
    await within("the end", waker.next());
  });
});
