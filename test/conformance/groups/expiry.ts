/** Time to live: where it comes from, what changes it, and that an expired key is gone to the millisecond. */
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import type { Board } from "../driver.ts";
import type { Target } from "../target.ts";

/** Between asking for a time to live and reading it back, on a busy machine. */
const SLACK_MS = 10_000;
/** Our clock and the store's are the same machine's, but round differently. */
const ROUNDING_MS = 2;

export function expiry(target: Target): void {
  test("is as told, else the board's default, else none", async () => {
    const [lasting, hourly] = [await target.open(), await target.open({ ttlSeconds: 3600 })];
    const [asideLasting, asideHourly] = [await target.aside(lasting), await target.aside(hourly)];
    await lasting.set("key", "v");
    expect(await lasting.ttl("key")).toBeNull();
    await lasting.set("key", "v", { ttlMs: 90_000 });
    await expectTtl(asideLasting, "key", 90_000);
    await hourly.set("key", "v");
    await expectTtl(asideHourly, "key", 3_600_000);
    await hourly.set("key", "v", { ttlMs: null });
    expect(await asideHourly.ttl("key")).toBeNull();
  });

  test("is kept when asked, replaced when not", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    await aside.set("key", "1", { ttlMs: 500_000 });
    await board.set("key", "2", { ttlMs: "keep" });
    await expectTtl(board, "key", 500_000);
    await board.set("key", "3");
    expect(await aside.ttl("key")).toBeNull();
    await aside.set("key", "4", { ttlMs: "keep" });
    expect(await aside.ttl("key")).toBeNull();
    await board.set("new", "5", { ttlMs: "keep" });
    expect(await aside.ttl("new")).toBeNull();
    expect(String(await aside.get("key"))).toBe("4");
  });

  test("is refreshed and taken away without a touch to the value", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    await aside.set("key", "value", { ttlMs: 60_000 });
    expect(await board.expire("key", 7_200_000)).toBe(true);
    await expectTtl(aside, "key", 7_200_000);
    expect(await aside.expire("key", 30_000)).toBe(true);
    await expectTtl(aside, "key", 30_000);
    expect(await board.persist("key")).toBe(true);
    expect(await aside.ttl("key")).toBeNull();
    expect(await board.persist("key")).toBe(true); // there, though nothing was to be taken away
    expect(String(await aside.get("key"))).toBe("value");
  });

  test("of what is absent cannot be asked for, set or taken away", async () => {
    const board = await target.open();
    expect(await board.ttl("absent")).toBeUndefined();
    expect(await board.expire("absent", 1000)).toBe(false);
    expect(await board.persist("absent")).toBe(false);
    expect(await board.keys()).toEqual([]);
  });

  test("comes neither early nor late, and then the key is gone from every view", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const ttlMs = 1000;
    const before = Date.now();
    await board.set("key", "value", { ttlMs });
    const after = Date.now();
    await until("the end of the key", async () => {
      const askedAt = Date.now();
      const isGone = (await aside.get("key")) === null;
      if (isGone) expect(Date.now(), "gone early").toBeGreaterThanOrEqual(before + ttlMs - ROUNDING_MS);
      else expect(askedAt, "there too long").toBeLessThanOrEqual(after + ttlMs + ROUNDING_MS);
      return isGone;
    });
    const views = [board.exists("key"), board.keys(), board.list(), board.ttl("key"), board.del("key")];
    expect(await Promise.all(views)).toEqual([0, [], [], undefined, 0]);
    expect((await board.status()).stores[0]?.keys).toBe(0);
  });

  test("that is over makes room: the key is absent to conditions and counters", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    for (const key of ["claim", "count"]) await aside.set(key, "7", { ttlMs: 50 });
    await until("the end of both", async () => (await aside.exists("claim", "count")) === 0);
    expect(await aside.set("claim", "mine", { if: "present" })).toMatchObject({ written: false, by: null });
    expect(await board.set("claim", "mine", { if: "absent" })).toMatchObject({ written: true });
    expect(await board.incr("count")).toBe(1n);
    expect(await aside.ttl("count")).toBeNull();
    expect(await aside.set("keep", "1", { ttlMs: 50 })).toMatchObject({ written: true });
    await until("the end of the third", async () => (await aside.get("keep")) === null);
    await board.set("keep", "2", { ttlMs: "keep" });
    expect(await aside.ttl("keep")).toBeNull();
  });
}

/** At most what was set, and not much less. */
async function expectTtl(board: Board, key: string, ttlMs: number): Promise<void> {
  const left = (await board.ttl(key)) ?? 0;
  expect(left).toBeLessThanOrEqual(ttlMs);
  expect(left).toBeGreaterThan(ttlMs - SLACK_MS);
}
