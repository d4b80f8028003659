/** What `--since` takes, and what it refuses rather than guess. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseSince } from "../../src/cli/following/since.ts";
import { BlackboardError } from "../../src/core/errors.ts";

const zone = process.env.TZ;
beforeAll(() => {
  process.env.TZ = "America/New_York"; // with daylight saving time, and west of where a bare date is UTC
});
afterAll(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

const momentOf = (text: string) => {
  const since = parseSince(text);
  return since instanceof Date ? since.toISOString() : since;
};

describe("since", () => {
  test.each([
    ["1763800000000-0", "1763800000000-0"],
    ["0-0", "0-0"],
    ["10m", 600_000],
    ["1h30m", 5_400_000],
    ["250ms", 250],
    ["90", 90_000],
  ])("%s", (text, expected) => expect(parseSince(text)).toBe(expected));

  test.each([
    ["2026-11-22T14:00:00Z", "2026-11-22T14:00:00.000Z"],
    ["2026-11-22T14:00Z", "2026-11-22T14:00:00.000Z"],
    ["2026-11-22T14:00:00.250Z", "2026-11-22T14:00:00.250Z"],
    ["2026-11-22T14:00:00,250Z", "2026-11-22T14:00:00.250Z"],
    ["2026-11-22T14:00:00+02:00", "2026-11-22T12:00:00.000Z"],
    ["2026-11-22T14:00:00-0530", "2026-11-22T19:30:00.000Z"],
    ["2026-11-22T14:00:00", "2026-11-22T19:00:00.000Z"],
    ["2026-11-22 14:00", "2026-11-22T19:00:00.000Z"],
    ["2026-11-22", "2026-11-22T05:00:00.000Z"],
    ["2026-07-22", "2026-07-22T04:00:00.000Z"],
    ["2028-02-29", "2028-02-29T05:00:00.000Z"],
  ])("%s is %s", (text, expected) => expect(momentOf(text)).toBe(expected));

  test.each([
    "",
    "yesterday",
    "10x",
    "2026-11",
    "2026-13-45",
    "2026-02-29",
    "2026-02-31T00:00Z",
    "2026-11-22T25:00",
    "2026-11-22T",
    "1763800000000-",
    "1763800000000-1024",
    "-5m",
    "14:00",
    "2026-11-22Z",
  ])("not %j", (text) => {
    const parse = () => parseSince(text);
    expect(parse).toThrow(BlackboardError);
    expect(parse).toThrow("--since: neither an id, nor a duration, nor a time");
  });

  test("what is almost a duration says what is wrong with it", () => {
    expect(() => parseSince("1m5m")).toThrow('--since: "1m5m" is not a duration');
    expect(() => parseSince("1763800000000")).toThrow("--since: must be at most 100 years");
    expect(() => parseSince("0")).toThrow("--since: must be longer than nothing");
  });
});
