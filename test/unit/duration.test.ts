/** Durations as people write them. */
import { expect, test } from "vitest";
import { formatAge, formatDuration, parseDuration } from "../../src/core/duration.ts";
import { BlackboardError } from "../../src/core/errors.ts";

test.each([
  ["250ms", 250],
  ["90s", 90_000],
  ["5m", 300_000],
  ["1h30m", 5_400_000],
  ["2d", 172_800_000],
  ["1d1h1m1s1ms", 90_061_001],
  ["1", 1000],
  ["0.25", 250],
  ["1.5h", 5_400_000],
  ["1ms", 1],
  ["1.4ms", 1],
  ["0.001", 1],
  ["36500d", 3_153_600_000_000],
])("%s is %i ms", (text, ms) => {
  expect(parseDuration("--ttl", text)).toBe(ms);
});

test.each([
  "",
  " ",
  "5 m",
  " 5m",
  "5m ",
  "m",
  "5x",
  "5M",
  "-5s",
  "+5s",
  "1m5m",
  "30m1h",
  "1e3",
  "0x10",
  "5,5s",
  ".5s",
  "5.s",
  "1h30",
  "Infinity",
  "NaN",
  "5m\n",
  "٥s",
])("%j is not a duration", (text) => {
  expect(() => parseDuration("--ttl", text)).toThrow(/^--ttl: ".*" is not a duration$/);
});

test.each(["0", "0s", "0ms", "0.0", "0.0001", "0.4ms"])("%s is too short", (text) => {
  expect(() => parseDuration("--ttl", text)).toThrow("--ttl: must be longer than nothing");
});

test.each(["36501d", "9".repeat(400), "99999999999"])("%s is too long", (text) => {
  expect(() => parseDuration("--ttl", text)).toThrow("--ttl: must be at most 100 years");
});

test("a refusal is of kind usage, and shows a cut and printable text", () => {
  try {
    parseDuration("--ttl", `\u001b[31m${"x".repeat(100)}`);
    expect.unreachable();
  } catch (error) {
    if (!(error instanceof BlackboardError)) throw error;
    expect(error.kind).toBe("usage");
    expect(error.message).toBe(`--ttl: "?[31m${"x".repeat(35)}" is not a duration`);
  }
});

test.each([
  [0, "0s"],
  [1, "1ms"],
  [999, "999ms"],
  [1000, "1s"],
  [1500, "1s500ms"],
  [59_999, "59s999ms"],
  [60_000, "1m"],
  [5_400_000, "1h30m"],
  [86_400_000 + 61_000, "1d1m1s"],
  [3_153_600_000_000, "36500d"],
])("%i ms is shown as %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("what is shown is read again as what it was", () => {
  for (let ms = 1; ms < 1e12; ms = Math.ceil(ms * 1.37)) {
    expect(parseDuration("x", formatDuration(ms))).toBe(ms);
  }
});

test.each([
  [-5, "0s"],
  [0, "0s"],
  [999, "999ms"],
  [1500, "1s"],
  [59_999, "59s"],
  [5_461_000, "1h31m"],
  [86_400_000 + 61_000, "1d1m"],
])("an age of %i ms is shown as %s", (ms, text) => {
  expect(formatAge(ms)).toBe(text);
});
