/** The nearest right name. */
import { expect, test } from "vitest";
import { editDistance, nearest } from "../../src/core/nearest.ts";

test.each([
  ["", "", 0],
  ["a", "", 1],
  ["", "abc", 3],
  ["same", "same", 0],
  ["ulr", "url", 1],
  ["kitten", "sitting", 3],
  ["ca", "abc", 3],
  ["backend", "bakcend", 1],
])("%j to %j is %i", (from, to, distance) => {
  expect(editDistance(from, to)).toBe(distance);
  expect(editDistance(to, from)).toBe(distance);
});

const NAMES = ["get", "set", "del", "keys", "publish", "subscribe"];

test.each([
  ["pubilsh", "publish"],
  ["subscrib", "subscribe"],
  ["GET", "get"],
  ["kesy", "keys"],
  ["ge", "get"],
  ["xyz", null],
  ["", null],
  ["x", null],
  ["x".repeat(100_000), null],
])("near %s is %s", (typed, expected) => {
  expect(nearest(typed.slice(0, 100_000), NAMES)).toBe(expected);
});

test("of two equally near the first is taken", () => {
  expect(nearest("zet", NAMES)).toBe("get");
});

test("nothing is near an empty list", () => {
  expect(nearest("get", [])).toBeNull();
});
