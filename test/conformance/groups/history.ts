/** What happened to a key, as far as it is retained; and who wrote what is there now. */
import { expect, test } from "vitest";
import type { Target } from "../target.ts";
import { inWords, withId } from "../wording.ts";
import { writerOf } from "../writing.ts";

export function history(target: Target): void {
  test("tells what happened to one key, when and by whom, the oldest first", async () => {
    const board = await target.open({ agent: "one" });
    const other = await writerOf(target, board, "other, 作者");
    const before = Date.now();
    const first = await (await target.aside(board)).set("key", Buffer.from([0xff, 0]));
    await other.set("key 2", "no");
    await other.set("key", "2");
    await other.incr("key", 5n);
    await other.publish("key", "no");
    await other.del("key");
    const after = Date.now();
    const changes = await board.history("key");
    expect(changes.map(inWords).slice(1)).toEqual(["set key 2", "set key 7", "del key"]);
    expect(changes[0]).toMatchObject({ value: Buffer.from([0xff, 0]), size: 2, isInitial: false });
    expect(changes[0]).toMatchObject({ id: first.written ? first.id : "" });
    expect(changes.map((item) => ("gap" in item ? "" : item.by))).toEqual([
      "one",
      ...Array(3).fill(other.settings.agent),
    ]);
    const times = changes.map((item) => ("gap" in item ? 0 : item.at));
    expect(times).toEqual([...times].sort((left, right) => left - right));
    expect(times[0]).toBeGreaterThanOrEqual(before - 2);
    expect(times.at(-1)).toBeLessThanOrEqual(after + 2);
  });

  test("is of one key by its exact name, whatever characters that has", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    for (const key of ["a*", "ab", "[a]", "a", "é"]) await writer.set(key, key);
    for (const key of target.few(["[a]", "a*", "é"])) {
      expect((await board.history(key)).map(inWords)).toEqual([`set ${key} ${key}`]);
    }
    expect(await writer.history("none")).toEqual([]);
  });

  test("gives the last few, or those since", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const ids: string[] = [];
    for (const value of ["1", "2", "3", "4"]) {
      const answer = await writer.set("key", value);
      if (answer.written) ids.push(answer.id);
      await writer.set("other", value);
    }
    const all = ids.map((id, index) => `${id} set key ${index + 1}`);
    expect((await board.history("key", { last: 2 })).map(withId)).toEqual(all.slice(2));
    expect((await writer.history("key", { since: ids[0] ?? "" })).map(withId)).toEqual(all.slice(1));
    expect((await writer.history("key", { last: 9 })).map(withId)).toEqual(all);
    expect((await writer.history("key", { since: 60_000 })).map(withId)).toEqual(all);
    expect(await writer.history("key", { since: new Date(Date.now() + 60_000) })).toEqual([]);
  });

  test("is as long as changes of all keys are retained, and says where it begins in the middle", async () => {
    const board = await target.open({ place: target.placeWithHistory("changes: 6") });
    const writer = await target.aside(board);
    const first = await writer.set("key", "0");
    for (let n = 1; n < 5; n++) await writer.set("key", String(n));
    for (let n = 0; n < 3; n++) await writer.set(`other:${n}`, "v");
    expect((await writer.history("key")).map(inWords)).toEqual(["set key 2", "set key 3", "set key 4"]);
    const since = first.written ? first.id : "";
    const [gap, ...rest] = await board.history("key", { since });
    expect(gap).toMatchObject({ gap: { channel: null, after: since } });
    expect(rest.map(inWords)).toEqual(["set key 2", "set key 3", "set key 4"]);
    const none = await target.open({ place: target.placeWithHistory("changes: 0") });
    const seeder = await target.aside(none);
    await seeder.set("key", "v");
    expect(await seeder.history("key")).toEqual([]);
    expect(String(await seeder.get("key"))).toBe("v");
  });

  test("and the value with its facts agree: last author, time and entry", async () => {
    const board = await target.open({ agent: "one" });
    const other = await writerOf(target, board, "other");
    await (await target.aside(board)).set("key", "1");
    await other.set("key", "2", { ttlMs: 60_000 });
    const [, last] = await other.history("key");
    if (last === undefined || "gap" in last) return expect.unreachable("two changes");
    const { id, by, at } = last;
    const known = await board.read("key");
    expect(known).toMatchObject({ key: "key", value: Buffer.from("2"), id, by, at });
    expect(known?.ttlMs).toBeGreaterThan(40_000);
    expect(await board.list("key")).toMatchObject([{ key: "key", id, by, at, size: 1 }]);
    expect(await other.read("none")).toBeNull();
  });

  test("keys can be listed by who wrote them last", async () => {
    const board = await target.open({ agent: "one" });
    const other = await writerOf(target, board, "other, with blanks");
    const writer = await target.aside(board);
    for (const key of ["a", "b", "job:1"]) await writer.set(key, "v");
    await other.set("b", "v");
    await other.incr("job:2");
    expect((await board.list("*", { by: "other, with blanks" })).map(({ key }) => key)).toEqual([
      "b",
      "job:2",
    ]);
    expect(await writer.list("*", { by: "one", staleMs: 3_600_000 })).toEqual([]);
    const listed = async (pattern: string, by: string) =>
      (await writer.list(pattern, { by })).map(({ key }) => key);
    expect(await listed("*", "one")).toEqual(["a", "job:1"]);
    expect(await listed("job:*", "one")).toEqual(["job:1"]);
    expect(await listed("*", "ONE")).toEqual([]);
  });
}
