/** Fences: a write under a grant is refused once somebody else has been granted the lock. */
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import type { Board, SetAnswer } from "../driver.ts";
import type { Target } from "../target.ts";
import { inWords } from "../wording.ts";
import { writerOf } from "../writing.ts";

export function fences(target: Target): void {
  test("the newest grant's stands, and an older one's does not: who has the lock now is told", async () => {
    const board = await target.open();
    const other = await writerOf(target, board, "newer, 作者");
    const old = await grant(other);
    expect(await board.set("key", "old", old)).toMatchObject({ written: true });
    const fresh = await grant(other);
    const refusal = await board.set("key", "stale-secret", old);
    expect(refusal).toMatchObject({ written: false, because: "fence", by: "newer, 作者" });
    if (!refusal.written) expect(refusal.told).not.toContain("secret");
    expect(refusal.written || refusal.ageMs).toBeLessThan(20_000);
    expect(String(await other.get("key"))).toBe("old");
    expect(await other.set("key", "fresh", fresh)).toMatchObject({ written: true });
    expect((await other.history("key")).map(inWords)).toEqual(["set key old", "set key fresh"]);
  });

  test("stands after its grant is over, until the next one", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const { token, fence } = await aside.locks.acquire("lock");
    await aside.locks.release("lock", token);
    const released = { fence: { lock: "lock", fence } };
    expect(await aside.set("key", "1", released)).toMatchObject({ written: true });
    const short = await aside.locks.acquire("lock", { ttlMs: 100 });
    await until("its time to be up", async () => (await aside.locks.show("lock")) === null);
    expectRefused(await aside.set("key", "2", released));
    const over = { fence: { lock: "lock", fence: short.fence } };
    expect(await aside.set("key", "3", over)).toMatchObject({ written: true });
    await aside.locks.acquire("lock");
    expectRefused(await board.set("key", "4", over));
    expect(String(await aside.get("key"))).toBe("3");
  });

  test("a number that is no grant's does not stand, nor one of a lock of which nothing is known", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const { fence } = await grant(aside);
    const other = await grant(aside, "other");
    const wrong = [fence.fence + 1, fence.fence - 1, 0, other.fence.fence];
    for (const number of target.few(wrong)) {
      expectRefused(await aside.set("key", "v", { fence: { lock: "lock", fence: number } }));
    }
    expectRefused(await board.set("key", "v", { fence: { lock: "lock", fence: fence.fence + 1 } }));
    const unknown = await board.set("key", "v", { fence: { lock: "none", fence: fence.fence } });
    expect(unknown).toMatchObject({ written: false, because: "fence", by: null, ageMs: null });
    const elsewhere = await target.aside({
      settings: { ...board.settings, prefix: `${board.settings.prefix}2` },
    });
    expectRefused(await elsewhere.set("key", "v", { fence }));
    expect(await aside.keys()).toEqual([]);
  });

  test("together with a condition both must hold", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const old = await grant(aside);
    const fresh = await grant(aside);
    expect(await board.set("key", "1", { ...fresh, if: "absent" })).toMatchObject({ written: true });
    expect(await aside.set("key", "2", { ...fresh, if: "absent" })).toMatchObject({
      written: false,
      because: "condition",
      by: "tester",
    });
    expectRefused(await board.set("key", "2", { ...old, ifValue: "1" }));
    expect(await aside.set("key", "2", { ...fresh, ifValue: "no" })).toMatchObject({ because: "condition" });
    expect(await aside.set("key", "2", { ...fresh, ifValue: "1" })).toMatchObject({ written: true });
    expect(await aside.set("none", "2", { ...fresh, if: "present" })).toMatchObject({ because: "condition" });
    expect((await aside.history("key")).map(inWords)).toEqual(["set key 1", "set key 2"]);
  });

  test("refused: nothing changes", async () => {
    const board = await target.open();
    const writer = await writerOf(target, board, "writer");
    const old = await grant(writer);
    await grant(writer);
    await writer.set("key", "value", { ttlMs: 600_000 });
    const before = await writer.read("key");
    for (const options of target.few([{ ttlMs: 1000 }, { ttlMs: null }, { if: "present" as const }])) {
      expectRefused(await board.set("key", "stale", { ...old, ...options }));
    }
    expect(await writer.read("key")).toEqual({ ...before, ttlMs: expect.any(Number) });
    expect(await writer.ttl("key")).toBeGreaterThan(500_000);
    expectRefused(await writer.set("new", "stale", old));
    expect(await writer.keys()).toEqual(["key"]);
    expect((await writer.history("key")).map(inWords)).toEqual(["set key value"]);
  });

  test("those of slots stand as long as they are held", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const slots = { slots: 2 };
    const [first, second] = [
      await aside.locks.acquire("lock", slots),
      await aside.locks.acquire("lock", slots),
    ];
    for (const { fence } of [first, second]) {
      expect(await aside.set("key", "v", { fence: { lock: "lock", fence } })).toMatchObject({
        written: true,
      });
    }
    await aside.locks.release("lock", first.token);
    const third = await aside.locks.acquire("lock", slots);
    expectRefused(await board.set("key", "stale", { fence: { lock: "lock", fence: first.fence } }));
    for (const { fence } of [second, third]) {
      expect(await aside.set("key", "v", { fence: { lock: "lock", fence } })).toMatchObject({
        written: true,
      });
    }
  });
}

/** A grant that is given back at once: its fence. */
async function grant(board: Board, lock = "lock") {
  const { token, fence } = await board.locks.acquire(lock);
  await board.locks.release(lock, token);
  return { fence: { lock, fence } };
}

function expectRefused(answer: SetAnswer): void {
  expect(answer).toMatchObject({ written: false, because: "fence" });
}
