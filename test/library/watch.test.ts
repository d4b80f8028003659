/** Watching, waiting and looking back as programs do it, from dist, on both stores. */
import { getEventListeners } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Blackboard, Change, Found, WaitForOptions, WatchOptions } from "../../src/index.ts";
import { withServer } from "../helpers/file-server.ts";
import { library } from "../helpers/library.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { until, within } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

let server: RedisServer;
withServer((started) => {
  server = started;
});

const STORES: ReadonlyArray<readonly ["memory" | "redis", () => Workplace]> = [
  ["memory", () => Workplace.memory()],
  ["redis", () => Workplace.redis(server)],
];

describe.each(STORES)("on %s", (_store, makePlace) => {
  describe("watch", () => {
    test("an iterator of changes; leaving the loop ends it", async () => {
      await using board = await makePlace().openBoard({ agent: "ada" });
      const watcher = board.watch(["key", "job:*"]);
      await watcher.ready;
      const { id } = expectWritten(await board.set("key", { b: 1, a: 2 }));
      await board.del("key");
      const seen: Change[] = [];
      for await (const change of watcher) if (seen.push(change) === 2) break;
      const common = { key: "key", by: "ada", isInitial: false, at: expect.any(Number) };
      expect(seen).toEqual([
        { ...common, event: "set", id, value: Buffer.from('{"a":2,"b":1}'), size: 13 },
        { ...common, event: "del", id: expect.any(String), value: null, size: null },
      ]);
      await untilAlone(board);
    });

    test("a signal ends it before, during and after", async () => {
      await using board = await makePlace().openBoard();
      await board.set("key", "v");
      for (const options of [{}, { initial: true }, { last: 5 }]) {
        const never = board.watch("*", { ...options, signal: AbortSignal.abort() });
        await within("the readiness of what is over", never.ready);
        expect(await keysOf(never)).toEqual([]);
        const stop = new AbortController();
        const watcher = board.watch("*", { ...options, signal: stop.signal });
        await within("readiness", watcher.ready);
        const loop = keysOf(watcher);
        stop.abort();
        expect((await within("the end of the loop", loop)).length).toBeLessThanOrEqual(1);
        await watcher.close();
        expect(getEventListeners(stop.signal, "abort")).toEqual([]);
      }
      const after = new AbortController();
      const replay = board.watch("*", { last: 5, live: false, signal: after.signal });
      expect(await keysOf(replay)).toEqual(["key"]);
      after.abort();
      await untilAlone(board);
    });

    test("initial: may be left in the middle, and closed before it is begun", async () => {
      await using board = await makePlace().openBoard();
      for (let n = 0; n < 250; n++) await board.set(`key:${n}`, "v");
      let count = 0;
      for await (const { isInitial } of board.watch("*", { initial: true })) {
        expect(isInitial).toBe(true);
        if (++count === 120) break;
      }
      const closed = board.watch("*", { initial: true });
      await closed.close();
      expect((await keysOf(closed)).length).toBeLessThanOrEqual(250);
      const stop = new AbortController();
      const stopped: string[] = [];
      for await (const { key } of board.watch("*", { initial: true, signal: stop.signal })) {
        if (stopped.push(key) === 50) stop.abort();
      }
      expect(stopped.length).toBeLessThan(250);
      await untilAlone(board);
    });

    test("closing the board ends it, at whatever it is", async () => {
      const place = makePlace();
      for (const options of [{}, { initial: true }, { last: 500 }] satisfies WatchOptions[]) {
        const board = await place.openBoard();
        await Promise.all(Array.from({ length: 250 }, (_, n) => board.set(`key:${n}`, "v")));
        const [fresh, begun] = [board.watch("*", options), board.watch("*", options)];
        await begun.ready;
        if (Object.keys(options).length > 0) for await (const _first of begun) break;
        const loops = [fresh, board.watch("*", options)].map(keysOf);
        await board.close();
        for (const keys of await within("the ends of the loops", Promise.all(loops))) {
          expect(keys.length).toBeLessThanOrEqual(500);
        }
      }
    });
  });

  describe("wait", () => {
    test("gives what it found, with who wrote it", async () => {
      const place = makePlace();
      await using board = await place.openBoard({ agent: "ada" });
      const waiting: Promise<readonly Found[]> = board.wait("key");
      const { id } = expectWritten(await board.set("key", "v", { ttlMs: 60_000 }));
      const reading = { key: "key", value: Buffer.from("v"), size: 1, id, by: "ada" };
      expect(await waiting).toMatchObject([{ key: "key", reading }]);
      expect(await board.wait(["a", "key"], { any: true })).toMatchObject([{ key: "key", reading }]);
      expect(await board.wait(["a", "b"], { until: "absent" })).toEqual([
        { key: "a", reading: null },
        { key: "b", reading: null },
      ]);
      expect(await board.wait("key", { value: "v" })).toHaveLength(1);
      expect(await board.wait("key", { until: "changed", since: 60_000 })).toHaveLength(1);
      await untilAlone(board);
    });

    test("a signal ends it with its reason, before and during; after it, nothing", async () => {
      await using board = await makePlace().openBoard();
      const reason = new Error("enough");
      const before = board.wait("key", { signal: AbortSignal.abort(reason) });
      await expect(before).rejects.toBe(reason);
      const stop = new AbortController();
      const during = board.wait("key", { signal: stop.signal });
      during.catch(() => {}); // it is looked at below
      await until("it to wait", async () => (await followers(board)) === 1);
      stop.abort(reason);
      await expect(within("its end", during)).rejects.toBe(reason);
      await untilAlone(board);
      await board.set("key", "v");
      const late = new AbortController();
      for (let n = 0; n < 12; n++) await board.wait("key", { signal: late.signal });
      expect(getEventListeners(late.signal, "abort")).toEqual([]);
      late.abort(reason); // and nobody is left to be told
    });

    test("a time limit is an error of its own", async () => {
      await using board = await makePlace().openBoard();
      for (const options of [{ timeoutMs: 0 }, { timeoutMs: 60 }, { timeoutMs: 60, value: "s3cret" }]) {
        const error: unknown = await board.wait("key", options).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(library.BlackboardError);
        expect(error).toMatchObject({ kind: "timeout", message: expect.stringMatching(/^timed out after /) });
      }
      await untilAlone(board);
      await board.set("key", "v");
      expect(await board.wait("key", { timeoutMs: 0 })).toHaveLength(1);
    });

    test("closing the board ends it with an error that says so", async () => {
      const board = await makePlace().openBoard();
      const waiting = Promise.allSettled([board.wait("key"), board.wait("key", { timeoutMs: 60_000 })]);
      await until("both to wait", async () => (await followers(board)) === 2);
      const early = board.wait("key").catch((thrown: unknown) => thrown);
      await board.close();
      const closed = { kind: "usage", message: "the board is closed" };
      for (const outcome of await within("their ends", waiting)) {
        expect(outcome).toMatchObject({ status: "rejected", reason: closed });
      }
      expect(await within("its end", early)).toMatchObject({ kind: "usage" });
      await expect(board.wait("key")).rejects.toMatchObject(closed);
    });
  });

  test("history: an iterable that ends, may be left early, and heeds a signal", async () => {
    await using board = await makePlace().openBoard();
    for (const value of ["1", "2", "3"]) await board.set("key", value);
    const values: string[] = [];
    for await (const { event, value } of board.history("key")) values.push(`${event} ${value}`);
    expect(values).toEqual(["set 1", "set 2", "set 3"]);
    for await (const { value } of board.history("key", { last: 2 })) {
      expect(String(value)).toBe("2");
      break;
    }
    expect(await keysOf(board.history("key", { signal: AbortSignal.abort() }))).toEqual([]);
    expect(await keysOf(board.history("none"))).toEqual([]);
    await untilAlone(board);
  });

  test("read: the value with what is known of it, of one moment", async () => {
    await using board = await makePlace().openBoard({ agent: "ada" });
    expect(await board.read("key")).toBeNull();
    const { id } = expectWritten(await board.set("key", "v", { ttlMs: 60_000 }));
    const reading = await board.read("key");
    expect(reading).toMatchObject({ key: "key", value: Buffer.from("v"), size: 1, id, by: "ada" });
    expect(reading?.ttlMs).toBeGreaterThan(40_000);
    expect(reading?.ageMs).toBeGreaterThanOrEqual(0);
  });

  test("consume: changes of keys, one after the other, failed and given back like messages", async () => {
    await using board = await makePlace().openBoard();
    for (const value of ["1", "2", "3"]) await board.set("job", value);
    await board.set("other", "no");
    const consumer = await board.consume({ keys: "job*" }, { consumer: "team", retries: 0 });
    const seen: string[] = [];
    for await (const delivery of consumer) {
      seen.push(`${delivery.entry.event} ${delivery.entry.value} ${delivery.attempt}`);
      if (seen.length === 3) break;
      if (seen.length === 1) await consumer.ack(delivery);
      else expect(await consumer.fail(delivery, "no luck")).toBe("failed");
    }
    expect(seen).toEqual(["set 1 1", "set 2 1", "set 3 1"]);
    for await (const { payload, failure } of board.subscribe("job:failed", { last: 1, live: false })) {
      expect(payload.toString()).toBe("2");
      expect(failure).toMatchObject({ channel: null, key: "job", event: "set", reason: "no luck" });
    }
    const again = await (await board.consume({ keys: "job*" }, { consumer: "team" })).next();
    expect([String(again?.entry.value), again?.attempt]).toEqual(["3", 1]);
  });

  test("wrong options and names are refused, and a closed board does nothing", async () => {
    const board = await makePlace().openBoard();
    onTestFinished(() => board.close());
    const usage = (message: RegExp) => ({ kind: "usage", message: expect.stringMatching(message) });
    const watches: ReadonlyArray<readonly [object, RegExp]> = [
      [{ initial: true, last: 1 }, /initial cannot go together with last or since/],
      [{ initial: true, since: 1 }, /initial cannot go together with last or since/],
      [{ intial: true }, /there is no option intial/],
      [{ live: false }, /needs last or since/],
    ];
    for (const [options, message] of watches) expect(() => board.watch("k", options)).toThrow(message);
    expect(() => board.watch([])).toThrow(/no key/);
    expect(() => board.history("k", { live: true } as object)).toThrow(/there is no option live/);
    expect(() => board.history("k", { last: 1, since: 1 })).toThrow(/cannot go together/);
    const waits: ReadonlyArray<readonly [object, RegExp]> = [
      [{ until: "presnt" }, /until must be/],
      [{ until: "present", value: "v" }, /value and until/],
      [{ since: 1 }, /since is about/],
      [{ timeoutMs: 1.5 }, /timeoutMs/],
      [{ timeout: 1 }, /there is no option timeout/],
    ];
    for (const [options, message] of waits) {
      await expect(within("a refusal", board.wait("k", options))).rejects.toMatchObject(usage(message));
    }
    await expect(within("a refusal", board.wait([]))).rejects.toMatchObject(usage(/no key/));
    await expect(within("a refusal", board.wait(""))).rejects.toMatchObject(usage(/empty/));
    await expect(board.list("*", { byy: "x" } as object).next()).rejects.toMatchObject(usage(/byy/));
    await untilAlone(board);
    await board.close();
    expect(() => board.watch("k")).toThrow("the board is closed");
    expect(() => board.history("k")).toThrow("the board is closed");
    await expect(board.read("k")).rejects.toMatchObject({ message: "the board is closed" });
    const options: WaitForOptions = { until: "absent" };
    await expect(board.wait("k", options)).rejects.toMatchObject({ message: "the board is closed" });
  });
});

async function keysOf(changes: AsyncIterable<Change>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of changes) keys.push(key);
  return keys;
}

async function followers(board: Blackboard): Promise<number> {
  return (await board.status()).stores[0]?.followers ?? 0;
}

async function untilAlone(board: Blackboard): Promise<void> {
  await until("no follower left", async () => (await followers(board)) === 0);
}

function expectWritten(result: { readonly written: boolean; readonly id?: string }): { readonly id: string } {
  return { id: result.id ?? expect.unreachable("it was refused") };
}
