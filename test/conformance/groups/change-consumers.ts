/** Consumers of changes: a name keeps its place among the changes of keys, and its workers share those they select. */
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import { type Board, Failure, failureOf } from "../driver.ts";
import type { Target } from "../target.ts";
import { inWords } from "../wording.ts";

export function changeConsumers(target: Target): void {
  test("go on where they stopped, past what they do not select", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    await writer.set("job:1", "a");
    await writer.set("other", "no");
    await writer.del("job:1");
    expect(await work(board, 1)).toEqual(["set job:1 a"]);
    await writer.set("other", "no");
    await writer.set("job:2", "b");
    expect(await work(board, 2)).toEqual(["del job:1", "set job:2 b"]);
    await writer.set("other", "no");
    expect(await work(writer, 1, 300)).toEqual([]);
    const [facts] = await board.consumers();
    expect(facts).toMatchObject({ consumer: "team", workers: [], channels: [{ channel: null, pending: 0 }] });
  });

  test("begin with what is retained, or now", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    await writer.set("key", "0");
    const late = await writer.watch(["*"], { consumer: "late", begin: "now", count: 1 });
    await writer.set("key", "1");
    expect((await late.take(1)).map(inWords)).toEqual(["set key 1"]);
    const early = await board.watch(["*"], { consumer: "early", begin: "start", count: 2 });
    expect((await early.take(2)).map(inWords)).toEqual(["set key 0", "set key 1"]);
  });

  test("share among their workers, each change handled by one; an expiry too", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const workers = [
      await board.watch(["key:*"], { consumer: "team" }),
      await writer.watch(["key:*"], { consumer: "team" }),
    ];
    await writer.set("key:short", "v", { ttlMs: 300 });
    for (let n = 0; n < 40; n++) await writer.set(n % 2 === 0 ? `key:${n}` : "other", "v");
    const handled = () => workers.flatMap((worker) => worker.seen().map(inWords));
    await until("all are handled", () => handled().length >= 22);
    const even = Array.from({ length: 20 }, (_, index) => `set key:${2 * index} v`);
    expect(handled().sort()).toEqual(["expired key:short", "set key:short v", ...even].sort());
  });

  test("pass on what they fail at, with the reason, to a channel of the key's name", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const answer = await writer.set("job:1", Buffer.from([0, 255]));
    await writer.del("job:1");
    await board.failAtOne({ keys: "job:*" }, "team", 1);
    await writer.failAtOne({ keys: "job:*" }, "team", 0);
    const failed = await writer.subscribe(["job:1:failed"], { last: 9, live: false });
    await failed.ended;
    expect(failed.seen().map(({ payload }) => payload)).toEqual([Buffer.from([0, 255]), Buffer.alloc(0)]);
    const [ofSet, ofDel] = failed.seen().map(({ failure }) => failure);
    const common = { channel: null, key: "job:1", by: "tester", consumer: "team", reason: "exited 1" };
    expect(ofSet).toEqual({ ...common, event: "set", id: answer.written ? answer.id : "", attempts: 2 });
    expect(ofDel).toMatchObject({ ...common, event: "del", attempts: 1 });
  });

  test("have one selection at a time, and no consumer is of both messages and changes", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    await writer.set("other", "v");
    const worker = await writer.watch(["key:*"], { consumer: "team" });
    expect(await kindOf(board.watch(["other"], { consumer: "team" }))).toBe("conflict");
    expect(await kindOf(board.subscribe(["c"], { consumer: "team" }))).toBe("conflict");
    await worker.close();
    const join = () => writer.watch(["other"], { consumer: "team" }).catch(onlyConflict);
    const next = await until("the server to know that the worker is gone", join);
    await writer.set("other", "w");
    await until("the new selection's", () => next.seen().some(({ value }) => String(value) === "w"));
    await next.close();
    expect(await kindOf(writer.subscribe(["c"], { consumer: "team" }))).toBe("conflict");
    await (await writer.subscribe(["c"], { consumer: "hearers", waitMs: 50 })).ended;
    expect(await kindOf(writer.watch(["c"], { consumer: "hearers" }))).toBe("conflict");
  });

  test("say where retention was faster than they, and need a log", async () => {
    const board = await target.open({ place: target.placeWithHistory("changes: 5") });
    const writer = await target.aside(board);
    const first = await writer.set("key", "0");
    expect(await work(writer, 1, 20_000, "*")).toEqual(["set key 0"]);
    for (let n = 1; n < 13; n++) await writer.set("key", String(n));
    const worker = await board.watch(["*"], { consumer: "team", count: 5 });
    expect((await worker.take(5)).map(inWords)[0]).toBe("set key 8");
    const after = first.written ? first.id : "";
    expect(worker.items()[0]).toEqual({ gap: { channel: null, after, next: worker.seen()[0]?.id } });
    const place = target.placeWithHistory("changes: 0");
    const none = await target.aside({ settings: { ...board.settings, place } });
    expect(await kindOf(none.watch(["*"], { consumer: "team" }))).toBe("config");
  });
}

/** What a new worker of the consumer "team" handles until it has enough, or until that time is over. */
async function work(board: Board, count: number, waitMs = 20_000, keys = "job:*"): Promise<string[]> {
  const worker = await board.watch([keys], { consumer: "team", count, waitMs });
  await worker.ended;
  return worker.seen().map(inWords);
}

function onlyConflict(error: unknown): null {
  if (error instanceof Failure && error.kind === "conflict") return null;
  throw error;
}

/** What it fails with, at once or later. */
async function kindOf(started: Promise<{ readonly ended: Promise<unknown> }>): Promise<string> {
  const over = started.then(({ ended }) => ended);
  return (await failureOf(over)).kind;
}
