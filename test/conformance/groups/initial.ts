/** Watching that begins with what is there, and goes on from there without a seam. */
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Change } from "../../../src/core/types.ts";
import { until } from "../../helpers/until.ts";
import type { Board } from "../driver.ts";
import type { Target } from "../target.ts";
import { inWords } from "../wording.ts";
import { writerOf } from "../writing.ts";

const LARGE = Buffer.alloc(100_000, 0xff);
const COUNTERS = 60;

export function initial(target: Target): void {
  test("gives the present values, each once, as who wrote them; alone it ends then", async () => {
    const board = await target.open({ agent: "writer" });
    const writer = await target.aside(board);
    await writer.set("gone", "v");
    await writer.del("gone");
    await writer.set("job:1", "old");
    const answer = await writer.set("job:1", "new", { ttlMs: 60_000 });
    await writer.set("job:large", LARGE);
    await writer.set("other", "no");
    const watcher = await board.watch(["job:1", "job:*", "*:1", "job:none"], { initial: true, live: false });
    expect(await watcher.ended).toBe("done");
    const [large, small, ...more] = [...watcher.seen()].sort((one, other) =>
      other.key.localeCompare(one.key),
    );
    expect(more).toEqual([]);
    expect(small).toMatchObject({ event: "set", key: "job:1", value: Buffer.from("new"), isInitial: true });
    expect(small).toMatchObject({ id: answer.written ? answer.id : "", by: "writer", size: 3 });
    expect(large).toMatchObject({ key: "job:large", size: LARGE.length, isInitial: true });
    expect(large?.value?.equals(LARGE)).toBe(true);
  });

  test("then gives what changes, and counts both", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    await writer.set("a", "1");
    const watcher = await board.watch(["*"], { initial: true, count: 4 });
    await watcher.take(1); // what changes before it was read is the present value
    await writer.set("a", "2");
    await writer.set("b", "3");
    await writer.del("a");
    expect((await watcher.take(4)).map(inWords)).toEqual(["initial a 1", "set a 2", "set b 3", "del a"]);
    expect(await watcher.ended).toBe("done");
    const nothing = await writer.watch(["none*"], { initial: true, live: false });
    expect(await nothing.ended).toBe("done");
    expect(nothing.items()).toEqual([]);
  });

  test("leaves no gap and doubles nothing while others write", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    for (let key = 0; key < COUNTERS; key++) await writer.incr(`n:${key}`);
    for (let round = 0; round < (target.form === "library" ? 6 : 1); round++) {
      const churn = await startCounting(target, board);
      const watcher = await board.watch(["n:*", "n:1"], { initial: true });
      await until("some changes", () => watcher.seen().filter(({ isInitial }) => !isInitial).length > 300);
      await churn.stop();
      await writer.set("n:end", String(round));
      const last = `set n:end ${round}`;
      await until("the end", () => watcher.seen().some((change) => inWords(change) === last));
      await expectSeamless(writer, watcher.seen());
      await watcher.close();
    }
  });
}

/** Two who count up, and one who deletes, until they are told to stop. */
async function startCounting(target: Target, board: Board): Promise<{ stop(): Promise<void> }> {
  let isOver = false;
  const work = async (number: number) => {
    const writer = await writerOf(target, board, `counter ${number}`);
    for (let n = 0; !isOver; n++) {
      const key = `n:${(n * (2 * number + 1)) % COUNTERS}`;
      if (number === 2) await writer.del(key, `n:${n % COUNTERS}`);
      else await writer.incr(key);
      await (number === 2 ? pause(5) : new Promise(setImmediate)); // so that most is there, and others run too
    }
  };
  const working = Promise.all([work(0), work(1), work(2)]);
  return {
    async stop() {
      isOver = true;
      await working;
    },
  };
}

/** A counter goes up by one, or begins again after it was deleted; the last that was seen is what is stored. */
async function expectSeamless(board: Board, seen: readonly Change[]): Promise<void> {
  const values = new Map<string, number>();
  let isLive = false;
  for (const change of seen.filter(({ key }) => key !== "n:end")) {
    const { key, event, value, isInitial } = change;
    if (isInitial) expect([isLive, values.has(key)], inWords(change)).toEqual([false, false]);
    isLive ||= !isInitial;
    const before = values.get(key);
    const now = event === "set" ? Number(value) : 0;
    if (before !== undefined && event === "set") expect(now, inWords(change)).toBe(before + 1);
    values.set(key, now);
  }
  for (const [key, value] of values) expect(Number(await board.get(key)), key).toBe(value);
  for (const key of await board.keys("n:*")) expect(values.has(key) || key === "n:end", key).toBe(true);
}
