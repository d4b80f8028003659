/** Conditional writes: one winner, and a refusal that tells who but never what. */
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import { type Board, failureOf } from "../driver.ts";
import { blackboardOf } from "../library-driver.ts";
import type { Target } from "../target.ts";
import { inWords } from "../wording.ts";
import { writerOf } from "../writing.ts";

const RACERS = 20;
/** None of them is text, or what a shell would leave alone. */
const ODD_VALUES = [Buffer.from([0, 255, 10]), Buffer.from([0xff]), Buffer.from("a\n"), Buffer.from("")];

const DOING_IF = [
  async (board: Board, value: Buffer) => (await board.set("key", "new", { ifValue: value })).written,
  async (board: Board, value: Buffer) => (await board.expireIf("key", value, 60_000)).done,
  async (board: Board, value: Buffer) => (await board.delIf("key", value)).done,
];

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

  test("value: any bytes", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    for (const [index, value] of target.some(ODD_VALUES).entries()) {
      await aside.set("key", value);
      const longer = Buffer.concat([value, Buffer.from([0])]);
      expect(await aside.set("key", "no", { ifValue: longer })).toMatchObject({ written: false });
      expect(await aside.expireIf("key", longer, 60_000)).toMatchObject({ done: false });
      expect(await aside.delIf("key", longer)).toMatchObject({ done: false });
      for (const one of target.form === "library" ? [0, 1, 2] : [index % 3]) {
        await aside.set("key", value);
        expect(await DOING_IF[one]?.(board, value)).toBe(true);
      }
    }
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
      expect(refusal).toMatchObject({ written: false, because: "condition", by: "builder 7" });
      if (refusal.written) continue;
      expect(refusal.told).not.toContain("secret");
      expect(refusal.ageMs).toBeGreaterThanOrEqual(0);
      expect(refusal.ageMs).toBeLessThan(20_000);
    }
    const aside = await target.aside(board);
    expect(String(await aside.get("key"))).toBe("present-secret");
    expect(await aside.ttl("key")).toBeGreaterThan(500_000);
    expect((await aside.list())[0]?.by).toBe("builder 7");
    expect((await aside.history("key")).map(inWords)).toEqual(["set key present-secret"]);
  });

  test("deleting and expiring refused: nothing changes, the author is told and no value is", async () => {
    const board = await target.open({ agent: "late" });
    const writer = await writerOf(target, board, "builder (7), 作者");
    await writer.set("key", "present-secret", { ttlMs: 600_000 });
    const before = await writer.read("key");
    const refusals = [
      await board.delIf("key", "expected-secret"),
      await board.expireIf("key", "expected-secret", 1000),
      await (await target.aside(board)).expireIf("key", "", 1000),
    ];
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ done: false, isAbsent: false, by: "builder (7), 作者" });
      if (!refusal.done) expect(refusal.told).not.toContain("secret");
      expect(refusal.done || refusal.ageMs).toBeLessThan(20_000);
    }
    expect(await writer.read("key")).toEqual({ ...before, ttlMs: expect.any(Number) });
    expect(await writer.ttl("key")).toBeGreaterThan(500_000);
    expect((await writer.history("key")).map(inWords)).toEqual(["set key present-secret"]);
    for (const answer of [await board.delIf("none", ""), await board.expireIf("none", "", 1000)]) {
      expect(answer).toMatchObject({ done: false, isAbsent: true, by: null, ageMs: null });
    }
  });

  test("deleting is logged once, as this agent's; expiring is not logged and keeps the author", async () => {
    const board = await target.open({ agent: "late" });
    const writer = await writerOf(target, board, "builder 7");
    await writer.set("key", "v");
    const before = await writer.read("key");
    expect(await board.expireIf("key", "v", 600_000)).toEqual({ done: true });
    expect(await writer.ttl("key")).toBeGreaterThan(500_000);
    expect(await writer.read("key")).toEqual({ ...before, ttlMs: expect.any(Number) });
    const forEver = blackboardOf(await target.aside(board)).expireIf("key", "v", null); // only the library says so
    expect(await forEver).toEqual({ done: true });
    expect(await writer.ttl("key")).toBeNull();
    expect(await board.delIf("key", "v")).toEqual({ done: true });
    expect(await writer.exists("key")).toBe(0);
    const history = await writer.history("key");
    expect(history.map(inWords)).toEqual(["set key v", "del key"]);
    expect(history[1]).toMatchObject({ by: "late" });
  });

  test("an expired key is absent to them", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    await aside.set("key", "v", { ttlMs: 50 });
    await until("it to expire", async () => (await aside.exists("key")) === 0);
    expect(await board.delIf("key", "v")).toMatchObject({ done: false, isAbsent: true });
    expect(await aside.expireIf("key", "v", 1000)).toMatchObject({ done: false, isAbsent: true });
    expect(await aside.set("key", "v", { ifValue: "v" })).toMatchObject({ written: false, by: null });
    expect(await aside.set("key", "v", { if: "absent" })).toMatchObject({ written: true });
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
    await (await target.aside(board)).set("turn", "1");
    const takers = Array.from({ length: target.form === "library" ? 8 : 2 }, () => board.delIf("turn", "1"));
    expect((await Promise.all(takers)).filter(({ done }) => done)).toHaveLength(1);
  });
}
