/** Many names in little memory: their order, and which have come. */
import { expect, test } from "vitest";
import { Pace } from "../../src/backends/redis/pace.ts";
import { Seen } from "../../src/backends/redis/seen.ts";
import { NameList } from "../../src/core/name-list.ts";

/** A fixed sequence that looks like chance. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

/** Short and of few different bytes, so that many are alike, or the beginning of others. */
function names(count: number, draw: (below: number) => number): Buffer[] {
  return Array.from({ length: count }, () =>
    Buffer.from(Array.from({ length: draw(7) }, () => [0, 97, 98, 128, 255][draw(5)] ?? 0)),
  );
}

function listOf(some: readonly Buffer[]): NameList {
  const list = new NameList();
  for (const name of some) list.add(name);
  return list;
}

const hex = (some: readonly Buffer[]) => some.map((name) => name.toString("hex"));
const inOrder = (list: NameList) => Array.from(list.sorted(), (index) => list.at(index));

test("names are put in the order of their bytes", () => {
  const draw = chance(1);
  for (let round = 0; round < 200; round++) {
    const some = names(draw(300), draw);
    const list = listOf(some);
    const wanted = hex([...some].sort(Buffer.compare));
    expect(hex(inOrder(list))).toEqual(wanted);
    const once = [...new Set(wanted)];
    expect(Array.from(list.distinct(), (index) => list.at(index).toString("hex"))).toEqual(once);
    expect(hex(inOrder(list.smallest(7)))).toEqual(once.slice(0, 7));
  }
});

test("neither many that are the same nor those in order, nor long ones, exhaust anything", () => {
  const same = listOf(Array.from({ length: 20_000 }, () => Buffer.alloc(300, "a")));
  expect(same.sorted()).toHaveLength(20_000);
  const rising = Array.from({ length: 20_000 }, (_, at) => Buffer.from(String(at).padStart(9, "0")));
  expect(hex(inOrder(listOf([...rising].reverse())))).toEqual(hex(rising));
  const nested = Array.from({ length: 3000 }, (_, at) => Buffer.alloc(at, "a"));
  expect(inOrder(listOf([...nested].reverse())).map((name) => name.length)).toEqual(
    nested.map((_, at) => at),
  );
});

test("a name is new once, whatever its bytes", () => {
  const draw = chance(2);
  const some = names(30_000, draw);
  const [seen, known] = [new Seen(), new Set<string>()];
  for (const name of some) {
    const text = name.toString("hex");
    expect(seen.add(name)).toBe(!known.has(text));
    known.add(text);
  }
});

test("100,000 names that were seen take less than 120 bytes each, what was outgrown included", () => {
  const before = process.memoryUsage().arrayBuffers;
  const seen = new Seen();
  for (let at = 0; at < 100_000; at++) seen.add(Buffer.from(`timmy:${at}`));
  expect(seen.add(Buffer.from("timmy:7"))).toBe(false);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(12_000_000);
});

test("steps begin small, grow while they are quick, and shrink when they are long; a long way alone changes nothing", () => {
  const pace = new Pace(200, 1600);
  const sizes = [50, 50.4, 50.2, 50.9, 51.8, 54, 60, 90, 90].map((ms) => {
    pace.took(ms);
    return pace.size;
  });
  expect(sizes).toEqual([400, 800, 1600, 1600, 1600, 800, 400, 200, 200]);
});
