/** Locks as programs use them, from dist, on both stores: work under a lock, and what becomes of it when that is lost. */
import { getEventListeners, once } from "node:events";
import { DatabaseSync } from "@photostructure/sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Blackboard, Fence, Held } from "../../src/index.ts";
import { withServer } from "../helpers/file-server.ts";
import { library } from "../helpers/library.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { until, within } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

let server: RedisServer;
withServer((started) => {
  server = started;
});

/** The place, and how to make its store answer nobody until the function that comes back is called. */
const STORES: ReadonlyArray<
  readonly ["memory" | "redis", () => Workplace, (place: Workplace) => () => void]
> = [
  ["memory", () => Workplace.memory(), lockFile],
  ["redis", () => Workplace.redis(server), pauseServer],
];

function lockFile(place: Workplace): () => void {
  const connection = new DatabaseSync(place.boardFile);
  connection.exec("BEGIN IMMEDIATE");
  return () => {
    if (connection.isOpen) connection.close();
  };
}

function pauseServer(): () => void {
  server.pause();
  return () => server.resume();
}

describe.each(STORES)("on %s", (store, makePlace, stopStore) => {
  describe("work under a lock", () => {
    test("gives what it returned, and the lock is free again", async () => {
      await using board = await makePlace().openBoard({ agent: "ada" });
      const fences: number[] = [];
      const work = async (held: Held) => {
        expect(held).toMatchObject({ lock: "lock", token: expect.stringMatching(/^[0-9a-f]{32}$/) });
        const shown = await board.locks.show("lock");
        expect(shown).toMatchObject({ holders: [{ owner: "ada", pid: process.pid, fence: held.fence }] });
        expect(shown?.holders[0]?.leftMs).toBeGreaterThan(20_000);
        expect(held.signal.aborted).toBe(false);
        fences.push(held.fence);
        return { some: "result" };
      };
      expect(await board.lock("lock", {}, work)).toEqual({ some: "result" });
      expect(await board.locks.show("lock")).toBeNull();
      expect(await board.lock("lock", {}, ({ fence }) => fences.push(fence))).toBe(2); // need not be a promise
      expect(fences[1]).toBeGreaterThan(fences[0] ?? 0);
      expect(await board.locks.list()).toEqual([]);
    });

    test("fails with what it failed with, and the lock is free again", async () => {
      await using board = await makePlace().openBoard();
      const error = new Error("of the work");
      await expect(board.lock("lock", {}, () => Promise.reject(error))).rejects.toBe(error);
      const thrower = () => {
        throw error;
      };
      await expect(board.lock("lock", {}, thrower)).rejects.toBe(error);
      expect(await board.locks.show("lock")).toBeNull();
    });

    test("is done by one at a time, or by so many as there are slots", async () => {
      const place = makePlace();
      await using board = await place.openBoard();
      await using other = await place.openBoard();
      for (const slots of [1, 3]) {
        let [working, most, count] = [0, 0, 0];
        const work = async () => {
          most = Math.max(most, ++working);
          const before = count;
          await new Promise(setImmediate);
          await other.get("key");
          count = before + 1;
          working--;
        };
        const all = Array.from({ length: 12 }, (_, n) =>
          (n % 2 ? board : other).lock("lock", { slots }, work),
        );
        await within("all of it", Promise.all(all));
        expect(most).toBe(slots);
        if (slots === 1) expect(count).toBe(12);
      }
    });

    test("may take many times to live: it is renewed", async () => {
      const place = makePlace();
      await using board = await place.openBoard();
      await using other = await place.openBoard();
      await board.lock("lock", { ttlMs: 500 }, async (held) => {
        const waiting = other.locks.acquire("lock", { timeoutMs: 1500 });
        await expect(waiting).rejects.toMatchObject({ kind: "timeout" });
        expect(held.signal.aborted).toBe(false);
        const shown = await other.locks.show("lock");
        expect(shown?.holders).toMatchObject([{ fence: held.fence }]);
        expect(shown?.holders[0]?.ageMs).toBeGreaterThanOrEqual(1400);
      });
      await other.locks.acquire("lock", { timeoutMs: 0 });
    });

    test("can write under the lock's fence, and not after somebody else", async () => {
      await using board = await makePlace().openBoard();
      let fence: Fence = { lock: "lock", fence: 0 };
      await board.lock("lock", {}, async (held) => {
        fence = held;
        expect(await board.set("key", "1", { fence })).toMatchObject({ written: true });
      });
      await board.lock("lock", {}, async () => {
        expect(await board.set("key", "2", { fence })).toMatchObject({ written: false, because: "fence" });
      });
      expect(await board.getText("key")).toBe("1");
    });
  });

  describe("a lost lock", () => {
    test("is told, and is a conflict, whatever the work gave", async () => {
      const place = makePlace();
      await using board = await place.openBoard();
      await using other = await place.openBoard();
      for (const end of [async () => "a result", async () => Promise.reject(new Error("of the work"))]) {
        const work = board.lock("lock", { ttlMs: 300 }, async ({ token, signal }) => {
          expect(await other.locks.release("lock", token)).toBe(true);
          await other.locks.acquire("lock", { timeoutMs: 0, ttlMs: 100 });
          await within("the loss to be told", aborted(signal));
          expect(signal.reason).toMatchObject({ kind: "conflict" });
          return end();
        });
        const error = await within("the end", reasonOf(work));
        expect(error).toMatchObject({ kind: "conflict", message: expect.stringContaining("lock was lost") });
        await until("it to be free", async () => (await other.locks.show("lock")) === null);
      }
    });

    test("is a conflict also where it was noticed by nobody before the end", async () => {
      const place = makePlace();
      await using board = await place.openBoard();
      await using other = await place.openBoard();
      const work = board.lock("lock", {}, ({ token }) => other.locks.release("lock", token));
      expect(await reasonOf(work)).toMatchObject({ kind: "conflict" });
    });

    test("is given up before its time is up, when the store is away", async () => {
      const place = makePlace();
      await using board = await place.openBoard();
      const troubles: (string | null)[] = [];
      const ttlMs = 1500;
      const begun = performance.now();
      const work = board.lock("lock", { ttlMs, onTrouble: (why) => troubles.push(why) }, async (held) => {
        const letGo = stopStore(place);
        onTestFinished(letGo);
        const since = performance.now(); // it may have been renewed until then
        await within("the loss to be told", aborted(held.signal));
        expect(performance.now() - since).toBeLessThan(ttlMs);
        expect(performance.now() - begun).toBeGreaterThan(ttlMs / 2);
        letGo();
      });
      expect(await within("the end", reasonOf(work), 15_000)).toMatchObject({ kind: "conflict" });
      expect(troubles.length).toBeGreaterThan(0);
      expect(troubles[0]).toEqual(expect.any(String));
    });

    test("is not lost by an absence that is shorter", async () => {
      const place = makePlace();
      await using board = await place.openBoard({ timeoutMs: 200 });
      const troubles: (string | null)[] = [];
      await board.lock(
        "lock",
        { ttlMs: 3000, onTrouble: (why) => troubles.push(why) },
        async ({ signal }) => {
          const letGo = stopStore(place);
          onTestFinished(letGo);
          await until("trouble", () => troubles.length > 0);
          letGo();
          await until("the end of it", () => troubles.at(-1) === null);
          expect(signal.aborted).toBe(false);
        },
      );
      expect(troubles).toEqual([expect.any(String), null]);
    });
  });

  describe("held over calls", () => {
    test("ends released, lost, or left where the store cannot be told", async () => {
      const place = makePlace();
      await using board = await place.openBoard({ timeoutMs: 300 });
      const released = await board.locks.hold("released");
      const lost = await board.locks.hold("lost");
      const left = await board.locks.hold("left", { ttlMs: 20_000 });
      expect([await released.release(), await released.release()]).toEqual(["released", "released"]);
      await board.locks.release("lost", lost.token);
      expect([await lost.release(), await lost.release()]).toEqual(["lost", "lost"]);
      expect(lost.signal.reason).toMatchObject({ kind: "conflict" });
      const letGo = stopStore(place);
      onTestFinished(letGo);
      expect(await within("the end", left.release())).toBe("left");
      letGo();
      expect(left.signal.aborted).toBe(false);
    });

    test("is given back, and its work told to end, when the board is closed", async () => {
      const place = makePlace();
      await using other = await place.openBoard();
      const board = await place.openBoard();
      const held = await board.locks.hold("held");
      let hasBegun = false;
      const work = board.lock("lock", {}, async ({ signal }) => {
        hasBegun = true;
        await aborted(signal);
      });
      const failed = reasonOf(work);
      await until("the work to begin", () => hasBegun);
      await within("the board to close", board.close());
      expect(await failed).toMatchObject({ kind: "usage", message: "the board is closed" });
      expect(held.signal.aborted).toBe(true);
      expect(await other.locks.list()).toEqual([]);
      await expect(board.lock("lock", {}, () => 1)).rejects.toMatchObject({ message: "the board is closed" });
      await expect(board.locks.list()).rejects.toMatchObject({ message: "the board is closed" });
    });

    test("is not held by a board that is closed while it is granted", async () => {
      const place = makePlace();
      await using other = await place.openBoard();
      for (let round = 0; round < 10; round++) {
        const board = await place.openBoard();
        const holding = Promise.allSettled([board.locks.hold(`lock:${round}`), board.locks.hold("lock")]);
        if (round % 2 === 1) await board.get("key");
        await within("the board to close", board.close());
        for (const one of await holding) if (one.status === "fulfilled") await one.value.release();
      }
      expect(await other.locks.list()).toEqual([]);
    });
  });

  describe("waiting", () => {
    test("for oneself: locks are not reentrant", async () => {
      await using board = await makePlace().openBoard({ agent: "ada" });
      await board.lock("lock", {}, async () => {
        const inside = board.lock("lock", { timeoutMs: 100 }, () => expect.unreachable());
        const message = expect.stringMatching(
          /timed out after 100ms .* held by ada \(host .*, pid \d+\) for /,
        );
        await expect(inside).rejects.toMatchObject({ kind: "timeout", message });
        const atOnce = board.lock("lock", { timeoutMs: 0 }, () => expect.unreachable());
        await expect(atOnce).rejects.toMatchObject({
          kind: "conflict",
          message: expect.stringMatching(/held by ada/),
        });
      });
      expect(await board.locks.list()).toEqual([]);
    });

    test("ends by a signal, before, during and after, and leaves the line", async () => {
      await using board = await makePlace().openBoard();
      const never = board.lock("lock", { signal: AbortSignal.abort("before") }, () => expect.unreachable());
      expect(await reasonOf(never)).toBe("before");
      const held = await board.locks.hold("lock");
      const stop = new AbortController();
      const waiting = board.lock("lock", { signal: stop.signal }, () => expect.unreachable());
      const failed = reasonOf(waiting);
      await untilWaiting(board, 1);
      stop.abort("during");
      expect(await within("the end", failed)).toBe("during");
      await untilWaiting(board, 0);
      expect(getEventListeners(stop.signal, "abort")).toEqual([]);
      await held.release();
      const after = new AbortController();
      await board.lock("lock", { signal: after.signal }, ({ signal }) => {
        after.abort();
        expect(signal.aborted).toBe(false); // it was for the waiting
      });
    });

    test("ends with the board", async () => {
      const place = makePlace();
      await using other = await place.openBoard();
      const board = await place.openBoard();
      await other.locks.acquire("lock");
      const failed = reasonOf(board.lock("lock", {}, () => expect.unreachable()));
      await untilWaiting(other, 1);
      await within("the board to close", board.close());
      expect(await within("the end", failed)).toMatchObject({ message: "the board is closed" });
      await untilWaiting(other, 0);
    });

    test("goes on while the store is away, and says so", async () => {
      const place = makePlace();
      await using board = await place.openBoard({ timeoutMs: 300 });
      await using other = await place.openBoard({ timeoutMs: 300 });
      const held = await other.locks.acquire("lock");
      const states: string[] = [];
      const waiting = board.lock("lock", { onState: ({ state }) => states.push(state) }, () => "granted");
      await untilWaiting(other, 1);
      const letGo = stopStore(place);
      onTestFinished(letGo);
      const released = other.locks.release("lock", held.token).catch(() => null);
      if (store === "redis") await until("it to be noticed", () => states.includes("away"));
      letGo();
      if ((await released) !== true) await other.locks.release("lock", held.token);
      expect(await within("the grant", waiting)).toBe("granted");
      expect(states).toEqual(store === "redis" ? ["away", "back"] : []);
    });
  });

  test("wrong options and names are refused, and nothing is done", async () => {
    await using board = await makePlace().openBoard();
    const usage = (message: RegExp) => ({ kind: "usage", message: expect.stringMatching(message) });
    const claims: ReadonlyArray<readonly [object, RegExp]> = [
      [{ ttl: 5 }, /there is no option ttl/],
      [{ ttlMs: 99 }, /at least 100 ms/],
      [{ ttlMs: 0 }, /time to live/],
      [{ ttlMs: 1500.5 }, /time to live/],
      [{ ttlMs: Number.NaN }, /time to live/],
      [{ ttlMs: "keep" }, /time to live/],
      [{ ttlMs: null }, /time to live/],
      [{ ttlMs: "5s" }, /time to live/],
      [{ slots: 0 }, /slots/],
      [{ slots: 1.5 }, /slots/],
      [{ slots: "2" }, /slots/],
      [{ timeoutMs: -1 }, /timeoutMs/],
      [{ timeoutMs: "1s" }, /timeoutMs/],
      [{ pid: -1 }, /pid/],
      [{ signl: null }, /there is no option signl/],
    ];
    for (const [options, message] of claims) {
      const calls = [
        board.lock("lock", options, () => expect.unreachable()),
        board.locks.hold("lock", options),
        board.locks.acquire("lock", options),
      ];
      for (const call of calls)
        expect(await reasonOf(call), JSON.stringify(options)).toMatchObject(usage(message));
    }
    for (const token of ["", "a b", "a\nb", "x".repeat(129)]) {
      await expect(board.locks.release("lock", token)).rejects.toMatchObject(usage(/no token/));
      await expect(board.locks.refresh("lock", token)).rejects.toMatchObject(usage(/no token/));
    }
    await expect(board.locks.refresh("lock", "token", 99)).rejects.toMatchObject(usage(/at least 100/));
    for (const name of ["", "a\nb", 5 as unknown as string]) {
      await expect(board.lock(name, {}, () => 1)).rejects.toMatchObject({ kind: "usage" });
      await expect(board.locks.show(name)).rejects.toMatchObject({ kind: "usage" });
    }
    const fences = [5, null, {}, { lock: "lock" }, { lock: "lock", fence: "5" }, { lock: "", fence: 5 }];
    for (const fence of [...fences, { lock: "lock", fence: 1.5 }]) {
      const set = board.set("key", "v", { fence } as object);
      expect(await reasonOf(set), JSON.stringify(fence)).toMatchObject({ kind: "usage" });
    }
    const takes: readonly object[] = [
      { timeoutMs: -1 },
      { timeoutMs: 1.5 },
      { timeout: 1 },
      { timeoutMs: "1s" },
    ];
    for (const options of takes)
      await expect(board.take("*", options)).rejects.toMatchObject({ kind: "usage" });
    await expect(board.take([])).rejects.toMatchObject(usage(/no key/));
    await expect(board.take("")).rejects.toMatchObject(usage(/empty/));
    await expect(board.expireIf("key", "v", 0)).rejects.toMatchObject(usage(/time to live/));
    await expect(board.deleteIf("", "v")).rejects.toMatchObject(usage(/empty/));
    expect(await board.locks.list()).toEqual([]);
    expect(await board.keys().next()).toMatchObject({ done: true });
  });

  test("what is being taken when the board is closed comes to whoever takes it", async () => {
    const board = await makePlace().openBoard();
    await board.set("key", "v");
    const taking = board.take("*");
    await board.close();
    expect((await taking)?.value.toString()).toBe("v");
  });

  test("a signal that comes with the grant: it is not held", async () => {
    await using board = await makePlace().openBoard();
    const stop = new AbortController();
    const work = board.lock("lock", { signal: stop.signal }, () => expect.unreachable());
    stop.abort(new Error("stopped"));
    await expect(work).rejects.toThrow("stopped");
    expect(await board.locks.list()).toEqual([]);
  });

  test("taking ends by a signal or with the board, and takes nothing then", async () => {
    const place = makePlace();
    await using other = await place.openBoard();
    const board = await place.openBoard();
    const stop = new AbortController();
    const stopped = reasonOf(
      board.take("job:*", { timeoutMs: Number.POSITIVE_INFINITY, signal: stop.signal }),
    );
    const closed = reasonOf(board.take("job:*", { timeoutMs: 60_000 }));
    await until("both to wait", async () => (await other.status()).stores[0]?.followers === 2);
    stop.abort("enough");
    expect(await within("the end", stopped)).toBe("enough");
    await board.close();
    expect(await within("the end", closed)).toMatchObject({ message: "the board is closed" });
    await other.set("job:1", "v");
    expect(await other.getText("job:1")).toBe("v");
    const before = AbortSignal.abort("before");
    expect(await reasonOf(other.take("job:*", { signal: before }))).toBe("before");
    expect(await other.exists("job:1")).toBe(1);
  });
});

test("a lock has an error of the library's own", async () => {
  await using board = await Workplace.memory().openBoard();
  const error = await reasonOf(board.locks.acquire("lock", { slots: 0 }));
  expect(error).toBeInstanceOf(library.BlackboardError);
});

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}

/** What it failed with. */
function reasonOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.unreachable("it should have failed"),
    (error: unknown) => error,
  );
}

async function untilWaiting(board: Blackboard, count: number): Promise<void> {
  await until(`${count} to wait`, async () => ((await board.locks.show("lock"))?.waiting ?? 0) === count);
}
