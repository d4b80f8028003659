/** Several boards in one file: whose changes a watcher reads, is told to have lost, and makes retention wait for. */
import { afterEach, describe, expect, test } from "vitest";
import type { Backend } from "../../src/core/backend.ts";
import type { KeySelection } from "../../src/core/types.ts";
import {
  all,
  bytes,
  cleanUp,
  events,
  keys,
  LIVE,
  newPath,
  open,
  plain,
  query,
  since,
} from "./memory-world.ts";

afterEach(cleanUp);

const FEW = { history: { messagesPerChannel: 5, changes: 5, maxAgeMs: 60_000 } };
const set = (backend: Backend, key: string, value = "v") => backend.set(key, bytes(value), plain());
const matching = (pattern: string): KeySelection => ({ keys: [], patterns: [pattern] });
const logged = (path: string) => query(path, "SELECT 1 FROM log").length;

/** Twenty changes of a board that keeps five. */
async function writeMany(path: string, prefix: string, key = `${prefix}:k`): Promise<void> {
  const board = await open(path, { ...FEW, prefix });
  for (let i = 0; i < 20; i++) await set(board, key, String(i));
}

/** What can match a key of the board `t`. */
const OF_T = [
  keys("t:k"),
  keys("x:k", "t:"),
  matching("t:*"),
  matching("*"),
  matching("t*"),
  matching("[st]:k"),
];
/** What cannot, however alike it looks. */
const NOT_OF_T = [keys("x:k"), keys("t"), keys("tt:k"), matching("x:*"), matching("tt*"), matching("T:*")];

describe("a watcher of keys", () => {
  test.each(NOT_OF_T)("is told of no gap where another board's retention was: %j", async (selection) => {
    const path = newPath();
    const backend = await open(path, { ...FEW, prefix: "x" });
    await set(backend, "x:k", "first");
    const position = await backend.position();
    const follower = backend.follow(selection, since({ after: position }, true));
    await follower.ready;
    await writeMany(path, "t");
    await follower.close();
    expect(await all(follower)).toEqual([]);
    expect(await all(backend.follow(selection, since({ after: position })))).toEqual([]);
  });

  test.each(NOT_OF_T)("holds no retention of another board: %j", async (selection) => {
    const path = newPath();
    const follower = (await open(path, { prefix: "x" })).follow(selection, LIVE);
    await follower.ready;
    await writeMany(path, "t");
    expect(logged(path)).toBe(5);
  });

  test.each(OF_T)("is waited for by every board it can hear of: %j", async (selection) => {
    const path = newPath();
    const backend = await open(path, { prefix: "x" });
    const follower = backend.follow(selection, LIVE);
    await follower.ready;
    await writeMany(path, "t");
    expect(logged(path)).toBe(20);
    await follower.close();
    await set(await open(path, FEW), "t:k");
    const lost = await all(backend.follow(selection, since({ after: 1 })));
    expect(lost[0]).toMatchObject({ gap: { channel: null } });
  });

  test("hears what a board without a prefix writes, whatever the key, and is waited for by it", async () => {
    const path = newPath();
    const follower = (await open(path)).follow(keys("t:k"), LIVE);
    await follower.ready;
    await writeMany(path, "", "t:k");
    expect(logged(path)).toBe(20);
    await follower.close();
    expect(events(await all(follower))).toEqual(Array.from({ length: 20 }, (_, i) => `set t:k ${i}`));
  });

  test("of a board without a prefix hears all boards; one of a longer prefix hears the shorter one", async () => {
    const path = newPath();
    const everything = (await open(path, { prefix: "" })).follow(matching("*"), LIVE);
    const nested = (await open(path, { prefix: "t:in" })).follow(matching("t:in:*"), LIVE);
    await Promise.all([everything.ready, nested.ready]);
    const [t, x] = [await open(path), await open(path, { prefix: "x" })];
    await set(t, "t:in:k");
    await set(x, "x:k");
    await Promise.all([everything.close(), nested.close()]);
    expect(events(await all(everything))).toEqual(["set t:in:k v", "set x:k v"]);
    expect(events(await all(nested))).toEqual(["set t:in:k v"]);
  });
});
