/** Counters: exact whoever counts, 64 bits wide, and refused where there is no number. */
import { expect, test } from "vitest";
import { inParallel } from "../../helpers/parallel.ts";
import { type Board, failureOf } from "../driver.ts";
import type { Target } from "../target.ts";

const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);

export function incr(target: Target): void {
  test("many processes lose nothing", async () => {
    const processes = target.tls ? 8 : 32; // by TLS each loads another driver, and the machine's certificates
    const board = await target.open();
    const times = target.form === "library" ? 25 : 1; // a process of the command counts once
    const deed = { do: "incr", key: "count", times } as const;
    await Promise.all(Array.from({ length: processes }, () => board.elsewhere(deed)));
    expect(String(await board.get("count"))).toBe(String(processes * times));
  }, 60_000);

  test("adds, counts down, and begins at 0 without a time to live", async () => {
    const board = await target.open({ ttlSeconds: 60 });
    expect(await board.incr("count")).toBe(1n);
    expect(await board.incr("count", 41n)).toBe(42n);
    expect(await board.incr("count", -50n)).toBe(-8n);
    expect(await board.incr("count", 0n)).toBe(-8n);
    expect(String(await board.get("count"))).toBe("-8");
    expect(await board.ttl("count")).toBeNull();
  });

  test("leaves the time to live of a present counter", async () => {
    const board = await target.open();
    await board.set("count", "5", { ttlMs: 500_000 });
    expect(await board.incr("count")).toBe(6n);
    const left = (await board.ttl("count")) ?? 0;
    expect(left).toBeGreaterThan(400_000);
    expect(left).toBeLessThanOrEqual(500_000);
  });

  test("is exact up to both ends of 64 bits, and refuses to go beyond", async () => {
    const board = await target.open();
    await board.set("high", String(MAX - 1n));
    expect(await board.incr("high")).toBe(MAX);
    await expectConflict(board, "high", 1n);
    expect(String(await board.get("high"))).toBe(String(MAX));
    await board.set("low", String(MIN + 1n));
    expect(await board.incr("low", -1n)).toBe(MIN);
    await expectConflict(board, "low", -1n);
    expect(await board.incr("sum", MAX)).toBe(MAX);
    expect(await board.incr("sum", MIN)).toBe(-1n);
    expect(await board.incr("precise", 9_007_199_254_740_993n)).toBe(9_007_199_254_740_993n);
  });

  test("refuses what is not a whole number of 64 bits, and leaves it as it is", async () => {
    const board = await target.open();
    const values = ["", " 1", "1 ", "01", "+1", "-0", "1.0", "1e3", "0x10", "text", "９", String(MAX + 1n)];
    const seeder = await target.aside(board);
    await inParallel(target.some(values), 4, async (value, index) => {
      const key = `key ${index}`;
      await seeder.set(key, value);
      await expectConflict(board, key, 1n);
      expect(String(await seeder.get(key)), value).toBe(value);
    });
  });

  test("refuses to add what 64 bits cannot hold", async () => {
    const board = await target.open();
    expect(await failureOf(board.incr("count", MAX + 1n))).toMatchObject({ kind: "usage" });
    expect(await failureOf(board.incr("count", 10n ** 30n))).toMatchObject({ kind: "usage" });
    expect(await board.exists("count")).toBe(0);
  });
}

async function expectConflict(board: Board, key: string, by: bigint): Promise<void> {
  expect(await failureOf(board.incr(key, by))).toMatchObject({ kind: "conflict" });
}
