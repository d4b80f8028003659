/** Ids of log entries and their numbers. */
import { expect, test } from "vitest";
import { IDS_PER_MS, idToNumber, msToNumber, numberToId, numberToMs } from "../../src/core/ids.ts";

test.each([
  ["1763800000000-0", 1_763_800_000_000 * 1024],
  ["1763800000000-1023", 1_763_800_000_000 * 1024 + 1023],
  ["0-0", 0],
  ["0-1", 1],
  ["8796093022207-1023", Number.MAX_SAFE_INTEGER],
])("%s is a number, and back", (id, number) => {
  expect(idToNumber(id)).toBe(number);
  expect(numberToId(number)).toBe(id);
});

test.each([
  "",
  "1763800000000",
  "1763800000000-",
  "-0",
  "1-1024",
  "1-9999",
  "8796093022208-0",
  "9999999999999-1",
  "17638000000000-0",
  "1-0 ",
  "1-0\n",
  "1-0-0",
  "1.5-0",
  "٣-0",
])("%j is no id", (id) => {
  expect(idToNumber(id)).toBeNull();
});

test("ids are in the order of their numbers, and their moment can be told", () => {
  const first = msToNumber(1_763_800_000_000);
  expect(numberToId(first)).toBe("1763800000000-0");
  expect(numberToId(first + IDS_PER_MS)).toBe("1763800000001-0");
  expect(numberToMs(first + IDS_PER_MS - 1)).toBe(1_763_800_000_000);
});
