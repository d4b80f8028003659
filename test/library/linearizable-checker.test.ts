/** The checker of histories finds what is wrong, and nothing else. */
import { describe, expect, test } from "vitest";
import type { Deed, Outcome } from "../helpers/board-model.ts";
import { describeHistory, type HistoryEvent, linearize } from "../helpers/history-checker.ts";

/** Called at, answered at (`null`: never), and what. */
type Line = readonly [number, number | null, Deed, Outcome?];

function historyOf(lines: readonly Line[]): HistoryEvent[] {
  return lines.map(([calledAt, answeredAt, deed, outcome], index) => ({
    by: `client ${index}`,
    calledAt,
    answeredAt: answeredAt ?? Number.POSITIVE_INFINITY,
    deed,
    ...(outcome === undefined ? {} : { outcome }),
  }));
}

const get = (key = "k"): Deed => ({ do: "get", key });
const set = (value: string, more: object = {}): Deed => ({ do: "set", key: "k", value, ...more });
const put = (key: string, value: string): Deed => ({ do: "set", key, value });
const incr: Deed = { do: "incr", key: "k", by: 1 };
const take: Deed = { do: "take" };
const grant: Deed = { do: "grant" };

const RIGHT: Readonly<Record<string, readonly Line[]>> = {
  "nothing at all": [],
  "one after the other": [
    [0, 1, get(), null],
    [2, 3, set("1"), true],
    [4, 5, get(), "1"],
  ],
  "at once, in either order": [
    [0, 10, set("1"), true],
    [0, 10, set("2"), true],
    [11, 12, get(), "1"],
  ],
  "a value that is read before it is answered that it was set": [
    [0, 10, set("1"), true],
    [2, 3, get(), "1"],
  ],
  "no answer, and it was done late": [
    [0, 1, set("1"), true],
    [2, null, set("2")],
    [3, 4, get(), "1"],
    [5, 6, get(), "2"],
  ],
  "no answer, and it was never done": [
    [0, 1, set("1"), true],
    [2, null, { do: "del", key: "k" }],
    [5, 6, get(), "1"],
  ],
  "a counter": [
    [0, 9, incr, "2"],
    [0, 9, incr, "1"],
    [0, 9, incr, "3"],
  ],
  "what is written again stays the oldest": [
    [0, 1, put("a", "1"), true],
    [2, 3, put("b", "2"), true],
    [4, 5, put("a", "3"), true],
    [6, 7, take, ["a", "3"]],
    [8, 9, put("a", "4"), true],
    [10, 11, take, ["b", "2"]],
  ],
  "a take without an answer has it": [
    [0, 1, put("a", "1"), true],
    [2, null, take],
    [3, 4, take, null],
  ],
  "a fence stands until the next grant": [
    [0, 1, grant, 7],
    [2, 3, set("1", { fence: 7 }), true],
    [4, 5, grant, null],
    [6, 12, grant, 9],
    [7, 8, set("2", { fence: 7 }), true],
    [9, 10, set("3", { fence: 9 }), true],
    [13, 14, set("4", { fence: 7 }), false],
  ],
  "a grant that nobody was told of": [
    [0, 1, grant, 7],
    [2, null, grant],
    [3, 4, set("1", { fence: 7 }), false],
  ],
};

const WRONG: Readonly<Record<string, readonly Line[]>> = {
  "a stale read": [
    [0, 1, set("1"), true],
    [2, 3, set("2"), true],
    [4, 5, get(), "1"],
  ],
  "a value that goes back": [
    [0, 1, set("1"), true],
    [2, 20, set("2"), true],
    [3, 4, get(), "2"],
    [5, 6, get(), "1"],
  ],
  "a value that nobody set": [
    [0, 1, set("1"), true],
    [2, 3, get(), "2"],
  ],
  "a lost update": [
    [0, 1, set("1"), true],
    [2, 10, set("2", { ifValue: "1" }), true],
    [3, 11, set("3", { ifValue: "1" }), true],
  ],
  "a lost count": [
    [0, 10, incr, "1"],
    [0, 10, incr, "1"],
  ],
  "two who were the first": [
    [0, 10, set("1", { if: "absent" }), true],
    [0, 10, set("2", { if: "absent" }), true],
  ],
  "a refusal without a reason": [
    [0, 1, set("1"), true],
    [2, 3, set("2", { ifValue: "1" }), false],
  ],
  "one key taken twice": [
    [0, 1, put("a", "1"), true],
    [2, 10, take, ["a", "1"]],
    [2, 10, take, ["a", "1"]],
  ],
  "not the oldest taken": [
    [0, 1, put("a", "1"), true],
    [2, 3, put("b", "2"), true],
    [4, 5, take, ["b", "2"]],
  ],
  "nothing found, though something was there all the time": [
    [0, 1, put("a", "1"), true],
    [2, 3, put("b", "2"), true],
    [4, 10, take, ["a", "1"]],
    [4, 10, take, null],
  ],
  "done twice, without an answer": [
    [0, 1, set("1"), true],
    [2, null, incr],
    [3, 4, get(), "3"],
  ],
  "two grants of one number": [
    [0, 10, grant, 7],
    [0, 10, grant, 7],
  ],
  "a stale write under a lock": [
    [0, 1, grant, 7],
    [2, 3, grant, 9],
    [4, 5, set("1", { fence: 7 }), true],
  ],
  "a stale write under a lock that somebody unknown has": [
    [0, 1, grant, 7],
    [2, null, grant],
    [3, 4, set("1", { fence: 7 }), false],
    [5, 6, set("2", { fence: 7 }), true],
  ],
};

describe("the checker", () => {
  test.each(Object.entries(RIGHT))("finds an order: %s", (_what, lines) => {
    const history = historyOf(lines);
    const order = linearize(history);
    expect(order, describeHistory(history)).not.toBeNull();
    const answered = history.filter(({ answeredAt }) => answeredAt < Number.POSITIVE_INFINITY);
    expect(order).toEqual(expect.arrayContaining(answered));
  });

  test.each(Object.entries(WRONG))("finds none: %s", (_what, lines) => {
    expect(linearize(historyOf(lines))).toBeNull();
  });

  test("is quick where many did much at once, right or wrong", () => {
    const lines: Line[] = Array.from({ length: 120 }, (_, n) => [n, n + 12, incr, String(n + 1)]);
    expect(linearize(historyOf(lines))).toHaveLength(120);
    const lost: Line = [lines.length + 20, lines.length + 21, get(), "119"];
    expect(linearize(historyOf([...lines, lost]))).toBeNull();
  });
});
