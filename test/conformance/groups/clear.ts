/** Clear: this prefix and no other, with brakes, and for any number of keys. */
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import { failureOf } from "../driver.ts";
import type { Target } from "../target.ts";

const MANY = 100_000;
/** For the command, whose clearing is the library's, and for memory. */
const FEWER = 20_000;
/** For 100,000 keys on two busy cores; each is one log entry. */
const MANY_MS = 30_000;

export function clear(target: Target): void {
  test("deletes what matches in this prefix and nothing beside", async () => {
    const prefix = target.freshPrefix();
    const board = await target.open({ prefix });
    const neighbours = await Promise.all(
      [`${prefix}2`, `x${prefix}`, `${prefix.slice(0, -1)}*`].map((name) => target.open({ prefix: name })),
    );
    for (const one of [board, ...neighbours]) {
      const seeder = await target.aside(one);
      for (const key of ["job:1", "job:2", "log"]) await seeder.set(key, "v");
    }
    expect(await board.clear("job:*")).toBe(2);
    const aside = await target.aside(board);
    expect(await aside.keys()).toEqual(["log"]);
    expect(await board.clear("job:*")).toBe(0);
    expect(await board.clear()).toBe(1);
    expect(await aside.keys()).toEqual([]);
    for (const one of neighbours) {
      expect(await (await target.aside(one)).keys(), one.settings.prefix).toHaveLength(3);
    }
  });

  test("with a limit that is passed deletes nothing", async () => {
    const board = await target.open();
    const seeder = await target.aside(board);
    for (const key of ["a", "b", "c"]) await seeder.set(key, "v");
    const failure = await failureOf(board.clear("*", { max: 2 }));
    expect(failure.kind).toBe("conflict");
    expect(await seeder.keys()).toEqual(["a", "b", "c"]);
    expect(await failureOf(board.clear("*", { max: 0 }))).toMatchObject({ kind: "conflict" });
    expect(await board.clear("*", { max: 3 })).toBe(3);
    expect(await seeder.clear("*", { max: 0 })).toBe(0);
  });

  test("dry counts and deletes nothing", async () => {
    const board = await target.open();
    const seeder = await target.aside(board);
    for (const key of ["a1", "a2", "b"]) await seeder.set(key, "v");
    expect(await board.clear("a*", { dryRun: true })).toBe(2);
    expect(await seeder.clear("*", { dryRun: true })).toBe(3);
    expect(await board.clear("*", { dryRun: true, olderThanMs: 86_400_000 })).toBe(0);
    expect(await seeder.keys()).toHaveLength(3);
  });

  test("of old keys spares what was written since", async () => {
    const board = await target.open();
    const seeder = await target.aside(board);
    const olderThanMs = 2000;
    await seeder.set("old", "v");
    await until("an old key", async () => ((await seeder.list("old"))[0]?.ageMs ?? 0) >= olderThanMs);
    await seeder.set("new", "v");
    await seeder.incr("count");
    expect(await seeder.clear("*", { olderThanMs: 86_400_000 })).toBe(0);
    await Promise.all([seeder.set("new", "v"), seeder.incr("count")]); // young again, should this machine be slow
    expect(await board.clear("*", { olderThanMs })).toBe(1);
    expect(await seeder.keys()).toEqual(["count", "new"]);
  });

  test("without a prefix is the whole database: the command asks for --yes, and bookkeeping stays", async () => {
    const board = await target.open({ prefix: "", place: target.emptyPlace() });
    const seeder = await target.aside(board);
    for (const key of ["a", "b:c"]) await seeder.set(key, "v");
    const { id } = await seeder.publish("channel", "kept");
    if (target.form === "cli") {
      expect(await failureOf(board.clear())).toMatchObject({ kind: "usage" });
      expect(await failureOf(board.clear("a*"))).toMatchObject({ kind: "usage" });
      expect(await seeder.keys()).toEqual(["a", "b:c"]);
    }
    expect(await board.clear("*", { dryRun: true })).toBe(2);
    expect(await board.clear("*", { yes: true })).toBe(2);
    expect(await seeder.keys()).toEqual([]);
    expect(await seeder.channels()).toMatchObject([{ channel: "channel", messages: 1, lastId: id }]);
  });

  test("deletes very many keys of one prefix in bounded time", async () => {
    // Writing them takes most of the time; only a server lets a foreign client write them in bulk.
    const many = target.form === "library" && target.foreign !== null ? MANY : FEWER;
    const board = await target.open();
    await target.seed(board, many);
    await (await target.aside(await target.open({ prefix: `${board.settings.prefix}x` }))).set("spared", "v");
    const begun = performance.now();
    expect(await board.clear()).toBe(many);
    expect(performance.now() - begun).toBeLessThan(MANY_MS);
    const aside = await target.aside(board);
    expect(await aside.keys()).toEqual([]);
    expect((await aside.status()).stores[0]?.keys).toBe(0);
  }, 90_000);
}
