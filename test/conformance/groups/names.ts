/** Names: what may be written, what may only be looked up, and that none of it is ever altered. */
import { expect, test } from "vitest";
import { compareNames } from "../../../src/core/names.ts";
import { inParallel } from "../../helpers/parallel.ts";
import { type Board, failureOf } from "../driver.ts";
import type { Target } from "../target.ts";

const NAMES = [
  "plain",
  "Plain",
  "with space",
  " lead",
  "trail ",
  "a*b",
  "[ab]",
  "a\\b",
  "日本語",
  "e\u0301",
  "\u00e9",
  "🦊",
  "👩‍👩‍👧",
  ":",
  "-x",
  "--json",
  "-",
  "'quote\"",
  "timmy-bb:{x}:id",
  "__proto__",
  "\u202eright-to-left",
  "\ufffd",
];

const CONTROLS = ["a\nb", "a\tb", "\u001b[31m", "a\u007f", "a\u0085", "\r"];

export function names(target: Target): void {
  test("of every sort are kept as they are, each apart from the others", async () => {
    const board = await target.open();
    const names = target.some(NAMES);
    await inParallel(names, 4, async (name) => {
      await board.set(name, `value of ${name}`);
    });
    expect(await board.keys()).toEqual([...names].sort(compareNames));
    await inParallel(names, 4, async (name) => {
      expect(String(await board.get(name)), name).toBe(`value of ${name}`);
    });
    expect(await board.exists(...names)).toBe(names.length);
    expect(await board.del(...names)).toBe(names.length);
    expect(await (await target.aside(board)).keys()).toEqual([]);
  });

  test("are at most 1024 bytes long, prefix not counted", async () => {
    const board = await target.open({ prefix: "p".repeat(100) });
    const aside = await target.aside(board);
    for (const name of ["k".repeat(1024), "é".repeat(512), "🦊".repeat(256)]) {
      await board.set(name, "long");
      expect(String(await aside.get(name))).toBe("long");
    }
    for (const name of target.few([`${"é".repeat(512)}k`, "k".repeat(1025)])) {
      await expectWritesRefused(board, name, /1025 bytes/);
      expect(await board.get(name)).toBeNull();
    }
    expect(await aside.keys()).toHaveLength(3);
  });

  test("that are empty are refused everywhere", async () => {
    const board = await target.open();
    await expectWritesRefused(board, "", /empty/);
    const lookUps = [board.get(""), board.exists("a", ""), board.del(""), board.ttl(""), board.keys("")];
    for (const failure of await Promise.all(lookUps.map(failureOf))) expect(failure.kind).toBe("usage");
  });

  test("with control characters can be looked up and not be written", async () => {
    const board = await target.open();
    await inParallel(target.some(CONTROLS), 3, async (name) => {
      const failure = await failureOf(board.set(name, "v"));
      expect(failure).toMatchObject({ kind: "usage", message: expect.stringContaining("control character") });
    });
    await expectWritesRefused(board, "a\nb", /control character/);
    expect(await board.get("a\nb")).toBeNull();
    expect(await board.exists(...CONTROLS)).toBe(0);
    expect(await board.del(...CONTROLS)).toBe(0);
    expect(await board.ttl("a\nb")).toBeUndefined();
    expect(await board.expire("a\nb", 1000)).toBe(false);
  });

  test("that are not UTF-8 can be looked up and not be written", async () => {
    const board = await target.open();
    const name = "a\udcffb"; // the byte 0xff
    await expectWritesRefused(board, name, /UTF-8/);
    expect(await board.get(name)).toBeNull();
    expect(await board.del(name)).toBe(0);
    expect(await board.keys()).toEqual([]);
  });

  test("of timmy-bb's own are out of reach without a prefix, and usual names with one", async () => {
    const board = await target.open({ prefix: "", place: target.emptyPlace() });
    const own = "timmy-bb:{}:id";
    const aside = await target.aside(board);
    await aside.set("mine", "1");
    await aside.publish("channel", "hello");
    await expectWritesRefused(board, own, /timmy-bb's own/);
    const lookUps = [board.get(own), board.del(own, "mine"), board.expire(own, 1)];
    for (const failure of await Promise.all(lookUps.map(failureOf))) expect(failure.kind).toBe("usage");
    expect(await board.keys()).toEqual(["mine"]);
    expect(await aside.keys("timmy-bb:*")).toEqual([]);
    expect((await aside.channels()).map(({ channel }) => channel)).toEqual(["channel"]);
    expect(await aside.get("mine")).not.toBeNull();
  });

  test("on one board are not those of another", async () => {
    const [one, two, inner] = [
      await target.open({ prefix: "p" }),
      await target.open({ prefix: "p2" }),
      await target.open({ prefix: "p:q" }),
    ];
    await (await target.aside(one)).set("q:key", "of p");
    await (await target.aside(two)).set("key", "of p2");
    expect(await inner.keys()).toEqual(["key"]); // p:q and p share what begins with p:q:, as in the store
    expect(String(await inner.get("key"))).toBe("of p");
    expect(await one.keys()).toEqual(["q:key"]);
    expect(await two.keys()).toEqual(["key"]);
    expect(await one.del("key", "2:key", "../p2:key")).toBe(0);
    expect(await (await target.aside(two)).exists("key")).toBe(1);
  });
}

async function expectWritesRefused(board: Board, name: string, message: RegExp): Promise<void> {
  const secret = "the-value-nobody-should-see";
  const writes = [board.set(name, secret), board.incr(name), board.publish(name, secret)];
  for (const failure of await Promise.all(writes.map(failureOf))) {
    expect(failure.kind).toBe("usage");
    expect(failure.message).toMatch(message);
    expect(failure.told).not.toContain(secret);
  }
}
