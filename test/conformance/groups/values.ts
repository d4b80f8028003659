/** Values are bytes: whatever goes in comes out, and an empty value is not an absent one. */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { inParallel } from "../../helpers/parallel.ts";
import type { Target } from "../target.ts";

const MIB = 1024 * 1024;

const VALUES: ReadonlyArray<readonly [what: string, value: string | Uint8Array]> = [
  ["empty", ""],
  ["text", "hello"],
  ["blanks around", "  a b  "],
  ["a line break at the end", "line\n"],
  ["only a line break", "\n"],
  ["carriage returns", "a\r\nb\r"],
  ["a NUL in the middle", Buffer.from("a\0b")],
  ["NUL at the end", Buffer.from("a\0")],
  ["invalid UTF-8", Buffer.from([0xff, 0xfe, 0x80, 0x00, 0xc3])],
  ["an overlong encoding", Buffer.from([0xc0, 0x80])],
  ["a byte order mark", "\ufeffbom"],
  ["every byte", Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  ["non-ASCII", "žluťoučký 日本語 🦊 e\u0301"],
  ["like a flag", "--json"],
  ["like the end of options", "--"],
  ["like standard input", "-"],
  ["like JSON", '{"b":1,"a":[null]}'],
  ["shell characters", "$HOME `id` $(id) \"'\\ ; | & > <"],
  ["escape sequences", "\u001b[31mred\u001b]0;title\u0007\u009b"],
  ["replacement characters", "\ufffd\ufffd"],
  ["longer than an argument", "x".repeat(200_000)],
];

export function values(target: Target): void {
  test("come back byte for byte", async () => {
    const board = await target.open();
    const values = target.some(VALUES);
    await inParallel(values, 4, async ([what, value]) => {
      expect(await board.set(what, value), what).toMatchObject({ written: true });
    });
    await inParallel(values, 4, async ([what, value]) => {
      const bytes = await board.get(what);
      expect(bytes?.equals(Buffer.from(value)), what).toBe(true);
    });
    const sizes = (await board.list()).map(({ key, size }) => [key, size]);
    const expected = new Map(values.map(([what, value]) => [what, Buffer.from(value).length]));
    expect(new Map(sizes as [string, number][])).toEqual(expected);
  });

  test("of 1 MiB, and of 1 MiB less and more a byte, come back byte for byte", async () => {
    const board = await target.open();
    for (const size of target.some([MIB + 1, MIB, MIB - 1])) {
      const value = randomBytes(size);
      await board.set("large", value);
      expect((await board.get("large"))?.equals(value), String(size)).toBe(true);
    }
  });

  test("that are empty are there, and absent ones are not", async () => {
    const board = await target.open();
    await board.set("empty", "");
    expect(await board.get("empty")).toEqual(Buffer.alloc(0));
    expect(await board.exists("empty")).toBe(1);
    const aside = await target.aside(board);
    expect(await aside.keys()).toEqual(["empty"]);
    expect(await board.get("absent")).toBeNull();
    expect(await board.exists("absent")).toBe(0);
    expect(await board.del("empty", "absent")).toBe(1);
    expect(await aside.get("empty")).toBeNull();
  });

  test("are replaced as a whole", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    await aside.set("key", "a long value that was there before");
    await board.set("key", Buffer.from([0xff]));
    expect(await aside.get("key")).toEqual(Buffer.from([0xff]));
  });

  test("are deleted and counted once, whatever is named twice", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    await aside.set("a", "1");
    await aside.set("b", "2");
    expect(await board.exists("a", "a", "b", "c")).toBe(3);
    expect(await board.del("a", "a", "c")).toBe(1);
    expect(await board.del("a")).toBe(0);
    expect(await aside.keys()).toEqual(["b"]);
  });
}
