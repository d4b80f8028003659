/**
 * The five promises of etcd's watch, each by its name: ordered, unique, reliable, atomic, resumable. What else there is
 * to watching is in `changes` and `initial`.
 */
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import type { Board, WatchOptions } from "../driver.ts";
import type { Target } from "../target.ts";
import { inWords, withId } from "../wording.ts";
import { byId, idsOf, setSurely, writeAtOnce, writerOf } from "../writing.ts";

export function watch(target: Target): void {
  test("ordered: whoever watches gets the changes of all writers in the order of the log", async () => {
    const board = await target.open();
    const watches = [await board.watch(["key:*"]), await board.watch(["key:1", "key:[23]"])];
    const written = await writeAtOnce(target, board, { writers: 4, each: 50, keys: 5 });
    const some = written.filter((text) => /key:[123]/.test(text));
    expect((await watches[0]?.take(written.length))?.map(withId)).toEqual(written);
    expect((await watches[1]?.take(some.length))?.map(withId)).toEqual(some);
  });

  test("unique: nothing comes twice, at no seam and by no second name", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    for (let round = 0; round < (target.form === "library" ? 5 : 1); round++) {
      const since = await setSurely(writer, "begin", String(round));
      const writing = writeAtOnce(target, board, { writers: 3, each: 60, keys: 4 });
      // While it is being written, so that some is read from the log and the rest comes live.
      const watcher = await board.watch(["key:*", "*", "key:1", "[k]ey:*"], { since });
      const written = await writing;
      const end = `${await setSurely(writer, "end", "")} set end `;
      const changes = await watcher.take(written.length + 1);
      expect(changes.map(withId)).toEqual([...written, end]);
      expect(watcher.items()).toHaveLength(changes.length);
      await watcher.close();
    }
  });

  test("reliable: nothing is missing between two changes, whatever the connections do", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const since = await setSurely(writer, "begin", "");
    const watcher = await board.watch(["*"]);
    const written: string[] = [];
    for (let round = 0; round < 4; round++) {
      const writing = writeAtOnce(target, board, { writers: 3, each: 20, keys: 3 });
      await target.breakConnections();
      written.push(...(await writing));
    }
    written.push(`${await setSurely(writer, "end", "")} set end `);
    await until("the end", () => watcher.seen().at(-1)?.key === "end");
    const seen = watcher.seen().map(withId);
    // What was written and not answered is in the log, and was written once more.
    expect(seen).toEqual((await replayed(writer, ["*"], { since })).map(withId));
    expect(seen.filter((text) => written.includes(text))).toEqual(written.sort(byId));
    expect(watcher.items()).toHaveLength(seen.length);
  });

  test("atomic: what one operation changed comes as one piece, and a cut loses nothing of it", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const watcher = await board.watch(["*"]);
    const parts = Array.from({ length: 5 }, (_, index) => `part:${index}`);
    let before = 0;
    for (const deed of [() => writer.del(...parts), () => writer.clear("part:*")]) {
      for (const part of parts) await writer.set(part, "v");
      const writing = writeAtOnce(target, board, { writers: 3, each: 40, keys: 2 });
      await until("others to write", () => watcher.seen().length > before + parts.length + 5);
      expect(await deed()).toBe(parts.length);
      const { length } = await writing;
      const changes = (await watcher.take(before + length + 2 * parts.length)).slice(before);
      const first = changes.findIndex(({ event }) => event === "del");
      const piece = changes.slice(first, first + parts.length);
      expect(piece.map(inWords).sort()).toEqual(parts.map((part) => `del ${part}`));
      for (const [cut, since] of idsOf(piece).entries()) {
        expect(await replayed(writer, ["part:*"], { since })).toEqual(piece.slice(cut + 1));
      }
      before += changes.length;
    }
  });

  test("resumable: from any id that is retained, on to what comes", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const written = await writeAtOnce(target, board, { writers: 2, each: 6, keys: 3 });
    for (const [at, text] of written.entries()) {
      const [since = ""] = text.split(" ");
      expect((await replayed(writer, ["key:*"], { since })).map(withId)).toEqual(written.slice(at + 1));
    }
    const first = await board.watch(["*"], { since: written[0]?.split(" ")[0] ?? "", count: 4 });
    const seen = await first.take(4);
    await first.ended;
    const meanwhile = await setSurely(writer, "key:0", "meanwhile");
    const second = await board.watch(["*"], { since: idsOf(seen).at(-1) ?? "" });
    const after = await setSurely(writer, "key:1", "after");
    const rest = written.slice(5).length + 2;
    expect([...seen, ...(await second.take(rest))].map(withId)).toEqual([
      ...written.slice(1),
      `${meanwhile} set key:0 meanwhile`,
      `${after} set key:1 after`,
    ]);
  });

  test("resumable: from an id that is dropped there is a gap, which says where it ends", async () => {
    const board = await target.open({ place: target.placeWithHistory("changes: 5") });
    const writer = await writerOf(target, board, "writer");
    const ids: string[] = [];
    for (let n = 0; n < 12; n++) ids.push(await setSurely(writer, `key:${n % 3}`, String(n)));
    const [dropped = "", oldest = ""] = [ids[2], ids[7]];
    const rest = ["set key:1 7", "set key:2 8", "set key:0 9", "set key:1 10", "set key:2 11"];
    const asked = async (asker: Board, keys: readonly string[], from: WatchOptions) =>
      (await replayed(asker, keys, from)).map(inWords);
    const gap = `gap ${dropped} ${oldest}`;
    // Of which keys the dropped changes were nobody knows any more.
    expect(await asked(board, ["key:0"], { since: dropped })).toEqual([gap, "set key:0 9"]);
    const others: ReadonlyArray<readonly [string, WatchOptions, readonly string[]]> = [
      ["*", { since: dropped }, [gap, ...rest]],
      ["none", { since: dropped }, [gap]],
      ["*", { since: ids[6] ?? "" }, rest],
      ["*", { last: 12 }, rest],
    ];
    for (const [key, from, answer] of others) expect(await asked(writer, [key], from)).toEqual(answer);
  });
}

/** What a watch gives that does not go on. */
async function replayed(board: Board, keys: readonly string[], from: WatchOptions) {
  const watcher = await board.watch(keys, { ...from, live: false });
  expect(await watcher.ended).toBe("done");
  return watcher.items();
}
