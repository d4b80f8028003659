/** Listing: exactly what a real server's KEYS would match, each once, of this prefix, and what is known of each. */
import { expect, test } from "vitest";
import { compareNames, decodeName } from "../../../src/core/names.ts";
import { inParallel } from "../../helpers/parallel.ts";
import { until } from "../../helpers/until.ts";
import { type Board, failureOf } from "../driver.ts";
import type { Target } from "../target.ts";

const NAMES = [
  ..."a b aa ab abc a* a? a[ a] [a] a\\b a-c a^ ^a !a ] [ \\ * ? - ^ ! job:1 job:22 Job:1 JOB é éa ключ 日本 🦊 🦊x".split(
    " ",
  ),
  "a b",
  " ",
  "a:b:c",
  "x".repeat(300),
];

/** Where globs of different programs part. */
const PATTERNS = [
  ..."* ? ?? ??? a* *a *a* a?c [ab] [^a] [!a] [a-c]* [c-a]* [a [^a [ [] []a] [a]] \\* \\a a\\ \\\\ a\\*".split(
    " ",
  ),
  ..."[\\]] [\\a] [a\\-c] [a- [--a] a[b*]c * ** *?* job:? job:* J* é ?? ???? [é] 🦊* \\?".split(" "),
  ..."[^] [^]a [a-]* []-a] a[^b]* ?* *\\ [*] [?] [[] nothing".split(" "),
];

/** Enough for a store to need several steps, and for a server to grow its table meanwhile. */
const STABLE_KEYS = 3000;

export function keys(target: Target): void {
  test("matches what a real server matches", async () => {
    const board = await target.open();
    const seeder = await target.aside(board);
    for (const name of NAMES) await seeder.set(name, "v");
    await target.scratch.call("mset", ...NAMES.flatMap((name) => [name, "v"]));
    const patterns = [...new Set([...PATTERNS, ...randomPatterns(400)])];
    // A process a pattern takes long, and the matching is the library's: the command gets a sample.
    const sample = target.form === "library" ? patterns : patterns.filter((_, index) => index % 24 === 0);
    await inParallel(target.some(sample), 4, async (pattern) => {
      const oracle = await target.scratch.list("keys", pattern);
      expect(await board.keys(pattern), pattern).toEqual(oracle.map(decodeName).sort(compareNames));
    });
  }, 60_000);

  test("comes each once, whatever is written meanwhile", async () => {
    const board = await target.open();
    const writer = await target.aside(board);
    const stable = Array.from({ length: STABLE_KEYS }, (_, index) => `stable:${index}`).sort(compareNames);
    await Promise.all(stable.map((key) => writer.set(key, "v")));
    const churn = startChurn(writer);
    try {
      for (let round = 0; round < (target.form === "library" ? 3 : 1); round++) {
        const listed = await board.keys();
        expect(new Set(listed).size).toBe(listed.length);
        expect(listed.filter((key) => key.startsWith("stable:"))).toEqual(stable);
        expect(await board.keys("stable:1??")).toHaveLength(100);
      }
    } finally {
      await churn.stop();
    }
  });

  test("knows only its own prefix, whatever characters that has", async () => {
    const prefixes = ["a*", "a", "ab", "[a]", "a?", "a\\", "é", "a:b"];
    const boards = await Promise.all(prefixes.map((prefix) => target.open({ prefix })));
    const seeders = await Promise.all(boards.map((board) => target.aside(board)));
    await Promise.all(seeders.map((board) => board.set(`key of ${board.settings.prefix}`, "v")));
    for (const board of target.some(boards)) {
      const own = `key of ${board.settings.prefix}`;
      const expected = board.settings.prefix === "a" ? ["b:key of a:b", own] : [own];
      expect(await board.keys(), board.settings.prefix).toEqual(expected);
    }
    expect(await seeders[0]?.keys("*:*")).toEqual([]);
    expect(await boards[3]?.clear()).toBe(1);
    expect(await seeders[1]?.keys()).toHaveLength(2);
  });

  test("tells of each key its time to live, size, author and age", async () => {
    const agent = "the author, 作者";
    const board = await target.open({ agent });
    const before = Date.now();
    await board.set("lasting", Buffer.from([0, 255, 10]));
    await board.set("short", "12345", { ttlMs: 60_000 });
    const after = Date.now();
    const [lasting, short, ...more] = await board.list();
    expect(more).toEqual([]);
    expect(lasting).toMatchObject({ key: "lasting", ttlMs: null, size: 3, by: agent });
    expect(short).toMatchObject({ key: "short", size: 5, by: agent });
    expect(short?.ttlMs).toBeLessThanOrEqual(60_000);
    expect(short?.ttlMs).toBeGreaterThan(50_000);
    for (const facts of [lasting, short]) {
      expect(facts?.at).toBeGreaterThanOrEqual(before - 2);
      expect(facts?.at).toBeLessThanOrEqual(after + 2);
      expect(facts?.ageMs).toBeGreaterThanOrEqual(0);
      expect(facts?.ageMs).toBeLessThanOrEqual(Date.now() - before + 2);
    }
  });

  test("tells the last author, not the first", async () => {
    const first = await target.open({ agent: "first" });
    const second = await target.open({ agent: "second", prefix: first.settings.prefix });
    const seeder = await target.aside(first);
    await seeder.set("key", "1");
    await seeder.set("count", "1");
    await second.set("key", "22");
    await second.incr("count", 9n);
    expect(await first.list()).toMatchObject([
      { key: "count", size: 2, by: "second" },
      { key: "key", size: 2, by: "second" },
    ]);
  });

  test("finds what nobody has written for a while", async () => {
    const board = await target.open();
    const staleMs = 1500;
    const seeder = await target.aside(board);
    await seeder.set("old", "v");
    const isOld = async () => ((await seeder.list("old"))[0]?.ageMs ?? 0) >= staleMs;
    await until("an old key", isOld);
    // A listing counts only if it was over before the renewed key grew old in its turn.
    const stale = await until("a listing in time", async () => {
      await seeder.set("renewed", "v");
      const listed = await board.list("*", { staleMs });
      const age = (await seeder.list("renewed"))[0]?.ageMs ?? staleMs;
      return age < staleMs ? listed : null;
    });
    expect(stale.map(({ key }) => key)).toEqual(["old"]);
    expect(await seeder.list("*", { staleMs: 86_400_000 })).toEqual([]);
    await seeder.expire("old", 60_000); // its time to live is not its value
    expect((await seeder.list("*", { staleMs })).map(({ key }) => key)).toContain("old");
  });

  test("gives the first of many, in byte order", async () => {
    const board = await target.open();
    const seeder = await target.aside(board);
    for (const key of ["b", "é", "B", "a", "🦊", "\uffee"]) await seeder.set(key, "v");
    expect(await board.keys("*", 4)).toEqual(["B", "a", "b", "é"]);
    expect(await board.keys()).toEqual(["B", "a", "b", "é", "\uffee", "🦊"]); // not the order of UTF-16
    expect(await seeder.keys("[ab]", 1)).toEqual(["a"]);
  });

  test("refuses a pattern that is empty or over 4 KiB", async () => {
    const board = await target.open();
    await board.set("key", "v");
    expect(await board.keys(`${"*".repeat(4093)}key`)).toEqual(["key"]);
    expect(await failureOf(board.keys("*".repeat(4097)))).toMatchObject({ kind: "usage" });
    expect(await failureOf(board.keys(""))).toMatchObject({ kind: "usage" });
  });
}

/** Writes and deletes other keys until told to stop, a few at a time. */
function startChurn(board: Board): { stop(): Promise<void> } {
  let isOver = false;
  const work = async () => {
    for (let round = 0; !isOver; round++) {
      const batch = Array.from({ length: 50 }, (_, index) => `churn:${round % 40}:${index}`);
      await Promise.all(batch.map((key) => board.set(key, "v")));
      if (round % 3 === 0) await board.del(...batch);
      await new Promise(setImmediate); // others want to run too
    }
  };
  const working = work();
  return {
    async stop() {
      isOver = true;
      await working;
    },
  };
}

/** The same each time, so that a failure can be repeated. */
function randomPatterns(count: number): string[] {
  const alphabet = ["a", "b", "c", "*", "?", "[", "]", "^", "-", "\\", "!", "é"];
  let state = 12_345;
  const next = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + next(6) }, () => alphabet[next(alphabet.length)]).join(""),
  );
}
