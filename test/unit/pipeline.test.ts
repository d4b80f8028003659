/** Many questions under way, answers in order, nothing asked after a failure. */
import { expect, test } from "vitest";
import { pipelined } from "../../src/cli/pipeline.ts";
import { until } from "../helpers/until.ts";

/** In blocks of five. */
async function* numbers(count: number) {
  for (let first = 0; first < count; first += 5) {
    yield Array.from({ length: Math.min(5, count - first) }, (_, index) => first + index);
  }
}

test("answers come in the order of the questions, whatever the order they are ready in", async () => {
  let open = 0;
  let most = 0;
  const ask = async (number: number) => {
    most = Math.max(most, ++open);
    for (let turns = (number * 7) % 5; turns > 0; turns--) await new Promise(setImmediate);
    open--;
    return number;
  };
  const answers: number[] = [];
  for await (const some of pipelined(numbers(1000), 16, ask)) answers.push(...some);
  expect(answers).toEqual(Array.from({ length: 1000 }, (_, number) => number));
  expect(most).toBeGreaterThan(4);
  expect(most).toBeLessThanOrEqual(16);
});

test("the first failure comes in its place, and ends the asking", async () => {
  const asked: number[] = [];
  const answers: number[] = [];
  const ask = async (number: number) => {
    asked.push(number);
    if (number === 5) throw new Error("five");
    return number;
  };
  const all = async () => {
    for await (const some of pipelined(numbers(1000), 16, ask)) answers.push(...some);
  };
  await expect(all()).rejects.toThrow("five");
  expect(answers).toEqual([0, 1, 2, 3, 4]);
  expect(asked.length).toBeLessThanOrEqual(5 + 1 + 16);
});

test("questions that cannot be read: what was asked is answered, then it fails", async () => {
  async function* broken() {
    yield* numbers(3);
    throw new Error("unreadable");
  }
  const answers: number[] = [];
  const all = async () => {
    for await (const some of pipelined(broken(), 16, async (number) => number)) answers.push(...some);
  };
  await expect(all()).rejects.toThrow("unreadable");
  expect(answers).toEqual([0, 1, 2]);
});

test("whoever leaves the loop ends the asking", async () => {
  let asked = 0;
  const ask = async () => ++asked;
  for await (const some of pipelined(numbers(1000), 4, ask)) if (some.includes(2)) break;
  const before = asked;
  await until("some turns", async () => new Promise((resolve) => setImmediate(() => resolve(true))));
  expect(asked).toBe(before);
  expect(asked).toBeLessThan(10);
});
