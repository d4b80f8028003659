/** Taking: reading and deleting in one step, the oldest first, each key by one. */
import { expect, test } from "vitest";
import { until, within } from "../../helpers/until.ts";
import { type Board, Failure, type Known } from "../driver.ts";
import type { Target } from "../target.ts";
import { inWords } from "../wording.ts";
import { writerOf } from "../writing.ts";

export function take(target: Target): void {
  test("gives the key that has been there longest, and what is known of it", async () => {
    const board = await target.open();
    const writer = await writerOf(target, board, "writer, 作者");
    for (const key of ["z", "b", "c"]) await writer.set(key, `of ${key}`);
    await writer.set("z", Buffer.from([0, 0xff, 10]), { ttlMs: 600_000 }); // it stays the oldest
    await writer.del("b");
    await writer.set("b", "new"); // it is the youngest
    const before = await writer.read("z");
    const first = await board.take(["*"]);
    expect(first).toEqual({ ...before, ttlMs: expect.any(Number) });
    expect(first).toMatchObject({ key: "z", by: "writer, 作者", value: Buffer.from([0, 0xff, 10]) });
    expect(first?.ttlMs).toBeGreaterThan(500_000);
    expect(words(await writer.take(["*"]))).toBe("c of c");
    expect(words(await writer.take(["*"]))).toBe("b new");
    expect(await board.take(["*"])).toBeNull();
    expect(await writer.keys()).toEqual([]);
  });

  test("is logged as this agent's deleting, and the log still has the value", async () => {
    const board = await target.open({ agent: "taker" });
    const writer = await writerOf(target, board, "writer");
    await writer.set("key", "value");
    expect(words(await board.take(["key"]))).toBe("key value");
    const history = await writer.history("key");
    expect(history.map(inWords)).toEqual(["set key value", "del key"]);
    expect(history[1]).toMatchObject({ by: "taker" });
    expect(await writer.set("key", "again", { if: "absent" })).toMatchObject({ written: true });
  });

  test("takes only what is selected, by name or pattern, and nothing outside the prefix", async () => {
    const board = await target.open({ prefix: "p*" });
    const other = await target.aside({ settings: { ...board.settings, prefix: "pq" } });
    const writer = await target.aside(board);
    for (const key of ["a:1", "b:1", "x", "a:2", "[z]"]) {
      await other.set(key, "other");
      await writer.set(key, "");
    }
    expect(words(await board.take(["x", "a:[2-9]", "none"]))).toBe("x ");
    expect(words(await writer.take(["\\[z]", "a:[2-9]"]))).toBe("a:2 ");
    expect(await writer.take(["a", "*:3", "A:1"])).toBeNull();
    expect(words(await writer.take(["b:1", "a:1"]))).toBe("a:1 "); // names, too, oldest first
    expect(words(await board.take(["\\[z]", "b:?"]))).toBe("b:1 ");
    expect(words(await writer.take(["*"]))).toBe("[z] ");
    expect(await other.keys()).toHaveLength(5);
  });

  test("never takes what has expired, in whatever order", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    await writer.set("short", "v", { ttlMs: 50 });
    await writer.set("key", "v");
    await until("it to expire", async () => (await writer.exists("short")) === 0);
    expect(words(await board.take(["*"]))).toBe("key v");
    expect(await writer.take(["*"])).toBeNull();
    expect(await writer.take(["short"])).toBeNull();
  });

  test("each of several takers gets other keys, and together they get all", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const isLibrary = target.form === "library";
    const takers = isLibrary
      ? await Promise.all(Array.from({ length: 6 }, (_, n) => writerOf(target, board, `taker ${n}`)))
      : [board, board, board];
    const keys = Array.from({ length: isLibrary ? 120 : 2 }, (_, n) => `job:${n}`);
    for (const key of keys) await writer.set(key, "v");
    const taken = await Promise.all(takers.map((taker) => takeAll(taker, isLibrary ? keys.length : 1)));
    expect(taken.flat().sort()).toEqual([...keys].sort());
    for (const one of taken) expect(one).toEqual([...one].sort(byNumber));
    expect(await writer.take(["*"])).toBeNull();
  });

  test("of those that appear while it looks it is the oldest, too", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    await addOthers(target, writer);
    for (let round = 0; round < (target.form === "library" ? 40 : 1); round++) {
      const keys = Array.from({ length: 8 }, (_, n) => `job:${(n * 5) % 8}`);
      const setting = async () => {
        for (let turn = 0; turn < round % 20; turn++) await new Promise(setImmediate);
        for (const key of keys) await writer.set(key, "v");
      };
      const [known] = await Promise.all([board.take(["job:*"]), setting()]);
      expect(known?.key ?? keys[0]).toBe(keys[0]);
      await writer.del(...keys);
    }
  });

  test("waits for one to appear, and is at once if one is there", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const waiting = board.take(["job:*", "end"], 20_000);
    await untilWaiting(writer, 1);
    await writer.set("jobs", "no");
    await writer.set("job:1", "yes");
    expect(words(await waiting)).toBe("job:1 yes");
    expect(await writer.keys()).toEqual(["jobs"]);
    expect(words(await within("what is there", writer.take(["job*"], 20_000), 5000))).toBe("jobs no");
    await untilWaiting(writer, 0);
  });

  test("waits no longer than told, and leaves nothing behind", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const begun = performance.now();
    expect(await board.take(["*"], 300)).toBeNull();
    expect(performance.now() - begun).toBeGreaterThan(290);
    expect(await aside.take(["*"], 0)).toBeNull();
    await untilWaiting(aside, 0);
    await aside.set("key", "v");
    expect(String(await aside.get("key"))).toBe("v");
  });

  test("of several who wait, each key goes to one", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const count = target.form === "library" ? 5 : 2;
    const waiting = Array.from({ length: count }, () => board.take(["job:*"], 20_000));
    await untilWaiting(writer, count);
    for (let n = 0; n < count; n++) await writer.set(`job:${n}`, "v");
    const taken = (await Promise.all(waiting)).map((known) => known?.key);
    expect(taken.sort()).toEqual(Array.from({ length: count }, (_, n) => `job:${n}`));
    expect(await writer.keys()).toEqual([]);
  });

  test("goes on waiting over broken connections", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    let outcome: string | Failure;
    do {
      await writer.del("key");
      const waiting = board.take(["key"], 30_000).then(words, failed);
      await untilWaiting(writer, 1);
      await target.breakConnections();
      await until("the key to be set", () =>
        writer.set("key", "v").then(
          () => true,
          () => false,
        ),
      );
      outcome = await waiting;
      // It looks once more when it follows. Who is cut off in that look cannot know what it has taken, and has to say so.
    } while (outcome instanceof Failure && outcome.kind === "unknown");
    expect(outcome).toBe("key v");
  });

  test("takes what foreign clients wrote after all others, and only plain strings", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    await target.foreign?.call("set", `${board.settings.prefix}:a`, "theirs");
    await target.foreign?.call("hset", `${board.settings.prefix}:b`, "field", "v");
    await aside.set("c", "ours");
    expect(words(await board.take(["*"]))).toBe("c ours");
    if (target.foreign !== null)
      expect(await board.take(["?"])).toMatchObject({ key: "a", by: null, at: null });
    expect(await aside.take(["*"])).toBeNull();
    expect(await aside.take(["b"])).toBeNull();
    expect(await aside.keys()).toEqual(target.foreign === null ? [] : ["b"]);
  });
}

function failed(error: unknown): Failure {
  if (error instanceof Failure) return error;
  throw error;
}

function words(known: Known | null): string {
  return known === null ? "nothing" : `${known.key} ${known.value}`;
}

/** So many keys that are not to be taken that looking for one takes several steps. */
async function addOthers({ foreign }: Target, board: Board): Promise<void> {
  const script = "for n = 1, 30000 do redis.call('SET', ARGV[1] .. n, 'v') end";
  if (foreign !== null) await foreign.call("eval", script, 0, `${board.settings.prefix}:other:`);
  else for (let n = 0; n < 2000; n++) await board.set(`other:${n}`, "v");
}

/** Until there is nothing left; so many at most. */
async function takeAll(board: Board, most: number): Promise<string[]> {
  const keys: string[] = [];
  while (keys.length < most) {
    const known = await board.take(["job:*"]);
    if (known === null) break;
    keys.push(known.key);
  }
  return keys;
}

function byNumber(one: string, other: string): number {
  return Number(one.split(":")[1]) - Number(other.split(":")[1]);
}

async function untilWaiting(aside: Board, count: number): Promise<void> {
  await until(`${count} to wait`, async () => (await aside.status()).stores[0]?.followers === count);
}
