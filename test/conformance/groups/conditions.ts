/** Conditional writes: one winner, and a refusal that tells who but never what. */
import { expect, test } from "vitest";
import { failureOf } from "../driver.ts";
import type { Target } from "../target.ts";

const RACERS = 20;

export function conditions(target: Target): void {
  test("absent: written once", async () => {
    const board = await target.open();
    expect(await board.set("key", "first", { if: "absent" })).toMatchObject({ written: true });
    expect(await board.set("key", "second", { if: "absent" })).toMatchObject({ written: false });
    const aside = await target.aside(board);
    expect(String(await aside.get("key"))).toBe("first");
    await aside.del("key");
    expect(await aside.set("key", "third", { if: "absent" })).toMatchObject({ written: true });
  });

  test("present: never makes a key", async () => {
    const board = await target.open();
    expect(await board.set("key", "v", { if: "present" })).toMatchObject({ written: false, by: null });
    const aside = await target.aside(board);
    expect(await aside.exists("key")).toBe(0);
    await aside.set("key", "");
    expect(await board.set("key", "v", { if: "present" })).toMatchObject({ written: true });
    expect(String(await aside.get("key"))).toBe("v");
  });

  test("value: only if it is this very value, to the byte", async () => {
    const board = await target.open();
    expect(await board.set("key", "new", { ifValue: "" })).toMatchObject({ written: false });
    const aside = await target.aside(board);
    await aside.set("key", "");
    expect(await board.set("key", "a", { ifValue: "" })).toMatchObject({ written: true });
    for (const wrong of target.some(["a\n", "A", "a ", "", "b"])) {
      expect(await board.set("key", "new", { ifValue: wrong }), wrong).toMatchObject({ written: false });
    }
    expect(await board.set("key", "--b", { ifValue: "a" })).toMatchObject({ written: true });
    expect(await board.set("key", "c", { ifValue: "--b" })).toMatchObject({ written: true });
    expect(String(await aside.get("key"))).toBe("c");
  });

  test("refused: nothing changes, the author is told and no value is", async () => {
    const writer = await target.open({ agent: "builder 7" });
    const board = await target.open({ prefix: writer.settings.prefix, agent: "late" });
    await writer.set("key", "present-secret", { ttlMs: 600_000 });
    const refusals = [
      await board.set("key", "new-secret", { if: "absent", ttlMs: 1000 }),
      await board.set("key", "new-secret", { ifValue: "expected-secret", ttlMs: 1000 }),
    ];
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ written: false, by: "builder 7" });
      if (!refusal.written) expect(refusal.told).not.toContain("secret");
    }
    const aside = await target.aside(board);
    expect(String(await aside.get("key"))).toBe("present-secret");
    expect(await aside.ttl("key")).toBeGreaterThan(500_000);
    expect((await aside.list())[0]?.by).toBe("builder 7");
  });

  test("two at once are refused as a call", async () => {
    const board = await target.open();
    const both = board.set("key", "v", { if: "absent", ifValue: "x" });
    expect(await failureOf(both)).toMatchObject({ kind: "usage" });
    expect(await (await target.aside(board)).keys()).toEqual([]);
  });

  test(`${RACERS} racers, each by its own connection or process: exactly one wins`, async () => {
    const prefix = target.freshPrefix();
    const agents = Array.from({ length: RACERS }, (_, index) => `racer-${index}`);
    const boards = await Promise.all(agents.map((agent) => target.open({ prefix, agent })));
    const results = await Promise.all(
      boards.map((board) => board.set("prize", board.settings.agent, { if: "absent" })),
    );
    const winners = agents.filter((_, index) => results[index]?.written);
    expect(winners).toHaveLength(1);
    expect(String(await boards[0]?.get("prize"))).toBe(winners[0]);
    for (const result of results) if (!result.written) expect(result.by).toBe(winners[0]);
  });

  test("handing a value on: of many who saw it, one takes it", async () => {
    const board = await target.open();
    await board.set("turn", "0");
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, index) => board.set("turn", `taken by ${index}`, { ifValue: "0" })),
    );
    expect(results.filter(({ written }) => written)).toHaveLength(1);
  });
}
