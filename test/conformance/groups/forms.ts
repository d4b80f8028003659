/** The form for people says the same as the form for programs; what one writes the other reads. */
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import type { Target } from "../target.ts";

export function forms(target: Target): void {
  test("agree on values, to the last line break", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    for (const value of ["", "line\n", "a\0b"]) {
      await board.plain.set("key", value);
      expect(String(await aside.get("key"))).toBe(value);
      expect(String(await board.plain.get("key"))).toBe(value);
    }
    await aside.set("bytes", Buffer.from([0xff, 0x00, 0x0a]));
    expect(await board.plain.get("bytes")).toEqual(Buffer.from([0xff, 0x00, 0x0a]));
    expect(await board.plain.get("absent")).toBeNull();
  });

  test("agree on keys, times and counts", async () => {
    const board = await target.open({ agent: "who" });
    const aside = await target.aside(board);
    await aside.set("b", "12", { ttlMs: 60_000 });
    await aside.set("a b", "x");
    expect(await board.plain.keys("*")).toEqual(await board.keys());
    expect(await board.plain.list("*")).toEqual([
      { key: "a b", size: 1, by: "who" },
      { key: "b", size: 2, by: "who" },
    ]);
    expect(await board.plain.ttlSeconds("b")).toBeGreaterThan(50);
    expect(await board.plain.ttlSeconds("a b")).toBe(-1);
    expect(await board.plain.ttlSeconds("absent")).toBeNull();
    expect(await board.plain.exists("b", "absent")).toBe(1);
    expect(await board.plain.exists("b", "a b")).toBe(2);
    expect(await board.plain.incr("b", -20n)).toBe(-8n);
    expect(await board.plain.del("b", "absent")).toBe(1);
    expect(await board.plain.clear("*")).toBe(1);
    expect(await aside.keys("*")).toEqual([]);
  });

  test("agree on messages and channels", async () => {
    const board = await target.open();
    const other = await target.aside(board);
    const publishWhenHeard = (payload: string) => () =>
      until("a receiver", async () => (await other.publish("a b", payload)).receivers === 1);
    expect(await board.plain.hear(["a b"], publishWhenHeard("two\nlines\n"))).toEqual({
      channel: "a b",
      payload: Buffer.from("two\nlines\n"),
    });
    const payload = Buffer.from("a\tb");
    expect(await board.plain.hear(["a*", "c"], publishWhenHeard("a\tb"))).toEqual({
      channel: "a b",
      payload,
    });
    const listed = (await board.channels()).map(({ lastId: _, ...facts }) => facts);
    expect(await board.plain.channels("*")).toEqual(listed);
    expect(await board.plain.publish("a b", "x")).toBe(0);
  });
}
