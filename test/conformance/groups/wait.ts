/** Waiting for keys: what counts is how things are, so nothing that happens can be missed. */
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { inParallel } from "../../helpers/parallel.ts";
import { scaled } from "../../helpers/scale.ts";
import { until, within } from "../../helpers/until.ts";
import { type Board, type Found, failureOf, type WaitOptions } from "../driver.ts";
import type { Target } from "../target.ts";
import { writerOf } from "../writing.ts";

/** Where a round is no process; `test/library/wait-race.test.ts` does as many as the promise speaks of, with another process. */
const ROUNDS = scaled(150, 2000);
const ROUNDS_OF_COMMANDS = scaled(4, 200);
const LANES = 16;

export function wait(target: Target): void {
  test("is over at once if things are so already", async () => {
    const board = await target.open({ agent: "writer" });
    const writer = await target.aside(board);
    const answer = await writer.set("key", Buffer.from([10, 255]), { ttlMs: 60_000 });
    const [found, ...more] = await within("a wait for what is there", board.wait(["key"]), 10_000);
    expect(more).toEqual([]);
    const id = answer.written ? answer.id : "";
    expect(found).toMatchObject({ key: "key", known: { key: "key", id, by: "writer" } });
    expect(found?.known?.value).toEqual(Buffer.from([10, 255]));
    expect(found?.known?.ttlMs).toBeGreaterThan(40_000);
    expect(words(await writer.wait(["none"], { until: "absent" }))).toEqual(["none is absent"]);
    expect(await board.wait(["key"], { value: Buffer.from([10, 255]), waitMs: 0 })).toHaveLength(1);
  });

  test("is over when the key comes, is deleted, or expires though nobody reads it", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const present = board.wait(["key"]);
    await whileWaited(writer, () => writer.set("key", "here"));
    expect(words(await present)).toEqual(["key is here"]);
    const deleted = board.wait(["key"], { until: "absent" });
    await whileWaited(writer, () => writer.del("key"));
    expect(words(await deleted)).toEqual(["key is absent"]);
    await writer.set("short", "v", { ttlMs: 700 });
    expect(words(await board.wait(["short"], { until: "absent" }))).toEqual(["short is absent"]);
  });

  test("for a value is not over with another", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    await writer.set("key", "done\n");
    const waiting = board.wait(["key"], { value: "done" });
    await whileWaited(writer, () => writer.set("key", "don"));
    await writer.set("key", "done");
    const id = (await writer.read("key"))?.id;
    const [found] = await waiting;
    expect([found?.known?.id, String(found?.known?.value)]).toEqual([id, "done"]);
    await writer.set("empty", "");
    expect(await writer.wait(["empty"], { value: "" })).toHaveLength(1);
  });

  test("for a change is not over with what was before, unless that is asked for", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const answer = await writer.set("key", "1");
    const since = answer.written ? answer.id : "";
    expect(await kindOf(board.wait(["key"], { until: "changed", since, waitMs: 150 }))).toBe("timeout");
    const waiting = board.wait(["key"], { until: "changed" });
    await whileWaited(writer, () => writer.set("key", "1")); // the same again is a change
    expect(words(await waiting)).toEqual(["key is 1"]);
    expect(words(await writer.wait(["key"], { until: "changed", since }))).toEqual(["key is 1"]);
    await writer.del("key");
    expect(words(await writer.wait(["key"], { until: "changed", since }))).toEqual(["key is absent"]);
  });

  test("for several keys takes all at the same time, or any, in the order given", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    await writer.set("b", "2");
    await writer.set("c", "3");
    expect(words(await board.wait(["c", "a", "b", "c"], { any: true }))).toEqual(["c is 3", "b is 2"]);
    const all = board.wait(["b", "a"]);
    await whileWaited(writer, () => writer.del("b"));
    await writer.set("a", "1");
    await writer.set("b", "4");
    expect(words(await all)).toEqual(["b is 4", "a is 1"]);
    const any = writer.wait(["x", "y"], { any: true });
    await whileWaited(writer, () => writer.set("y", "5"));
    expect(words(await any)).toEqual(["y is 5"]);
  });

  test("ends with a timeout, neither before it nor long after, and leaves nothing behind", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const begun = performance.now();
    const waiting = [board.wait(["key"], { waitMs: 400 }), writer.wait(["key"], { value: "v", waitMs: 400 })];
    const failures = await Promise.all(waiting.map(failureOf));
    expect(performance.now() - begun).toBeGreaterThan(390);
    expect(failures.map(({ kind }) => kind)).toEqual(["timeout", "timeout"]);
    expect(await kindOf(writer.wait(["key"], { waitMs: 0 }))).toBe("timeout");
    await until("nobody to follow", async () => (await writer.status()).stores[0]?.followers === 0);
  });

  test("goes on over broken connections", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const waiting = board.wait(["key"]);
    await whileWaited(writer, () => target.breakConnections());
    await until("the key to be set", () =>
      writer.set("key", "v").then(
        () => true,
        () => false,
      ),
    );
    expect(words(await waiting)).toEqual(["key is v"]);
  });

  test("never misses what happens between its look and its sleep", async () => {
    const board = await target.open();
    const writer = await writerOf(target, board, "writer");
    const rounds = target.form === "library" ? ROUNDS : target.some(range(ROUNDS_OF_COMMANDS)).length;
    // The change is made at any moment around the look, which comes so soon with lanes that share two cores, or a process to start.
    const longestMs = target.form === "library" ? 20 : 1000;
    await inParallel(range(rounds), target.form === "library" ? LANES : 2, async (round) => {
      const key = `key:${round}`;
      await prepare(writer, key, round);
      const waiting = board.wait([key], HOW[round % HOW.length]);
      waiting.catch(() => {}); // it is looked at below
      await moments(longestMs);
      await change(writer, key, round);
      await within(`the end of wait ${round}`, waiting, 10_000);
    });
  }, 60_000);
}

/** To read it takes so long that much can happen meanwhile. */
const LARGE = Buffer.alloc(500_000);

const HOW: readonly WaitOptions[] = [{}, { until: "absent" }, { value: "right" }];

/** So that it is not yet as it is waited for. */
async function prepare(writer: Board, key: string, round: number): Promise<void> {
  if (round % HOW.length === 1) await writer.set(key, "here");
  if (round % HOW.length === 2) await writer.set(key, round % 2 === 0 ? "wrong" : LARGE);
}

async function change(writer: Board, key: string, round: number): Promise<void> {
  if (round % HOW.length === 1) await writer.del(key);
  else await writer.set(key, "right");
}

/** Some time up to so long, and then a few turns of the event loop, which are shorter than a timer's shortest. */
async function moments(longestMs: number): Promise<void> {
  await pause(Math.random() * longestMs);
  for (let turn = 0; turn < Math.random() * 10; turn++) await new Promise(setImmediate);
}

/** Does something once somebody waits. */
async function whileWaited(aside: Board, deed: () => Promise<unknown>): Promise<void> {
  await until("somebody to wait", async () => (await aside.status()).stores[0]?.followers === 1);
  await deed();
}

async function kindOf(call: Promise<unknown>): Promise<string> {
  return (await failureOf(call)).kind;
}

function words(found: readonly Found[]): string[] {
  return found.map(({ key, known }) => `${key} is ${known?.value ?? "absent"}`);
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
