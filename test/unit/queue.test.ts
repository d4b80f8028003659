/** The queue between callbacks and a loop. */
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Queue } from "../../src/core/queue.ts";

async function take<Item>(queue: Queue<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of queue) items.push(item);
  return items;
}

test("items come in order, those pushed before the loop and those during it", async () => {
  const queue = new Queue<number>();
  queue.push(1);
  queue.push(2);
  const taken = take(queue);
  await setImmediate();
  queue.push(3);
  queue.push(4);
  await setImmediate();
  queue.push(5);
  queue.end();
  expect(await taken).toEqual([1, 2, 3, 4, 5]);
});

test("items pushed from within the loop are taken", async () => {
  const queue = new Queue<number>();
  queue.push(0);
  const items: number[] = [];
  for await (const item of queue) {
    items.push(item);
    if (item < 3) queue.push(item + 1);
    else queue.end();
  }
  expect(items).toEqual([0, 1, 2, 3]);
});

test("an end lets what is there be taken, and nothing after it", async () => {
  const queue = new Queue<number>();
  queue.push(1);
  queue.end();
  queue.end();
  queue.push(2);
  expect(await take(queue)).toEqual([1]);
});

test.each([[new Error("gone")], [undefined], [null], ["text"]])(
  "a failure %s comes after the items",
  async (failure) => {
    const queue = new Queue<number>();
    queue.push(1);
    queue.fail(failure);
    const loop = queue[Symbol.asyncIterator]();
    expect(await loop.next()).toEqual({ done: false, value: 1 });
    await expect(loop.next()).rejects.toBe(failure);
  },
);

test("a failure wakes a loop that waits", async () => {
  const queue = new Queue<number>();
  const taken = take(queue);
  await setImmediate();
  queue.fail(new Error("gone"));
  await expect(taken).rejects.toThrow("gone");
});

test("a failure after the end is too late", async () => {
  const queue = new Queue<number>();
  queue.end();
  queue.fail(new Error("gone"));
  expect(await take(queue)).toEqual([]);
});

test("a loop that is left early ends, and many items cost no stack", async () => {
  const queue = new Queue<number>();
  for (let item = 0; item < 200_000; item++) queue.push(item);
  let seen = 0;
  for await (const _ of queue) if (++seen === 150_000) break;
  expect(seen).toBe(150_000);
});

test("a pourer that waits for room holds the queue to what it says", async () => {
  const queue = new Queue<number>();
  let poured = 0;
  const pouring = (async () => {
    for (; poured < 100; poured++) {
      queue.push(poured);
      await queue.room(10);
    }
    queue.end();
  })();
  await setImmediate();
  expect(poured).toBe(10);
  const items: number[] = [];
  for await (const item of queue) {
    items.push(item);
    await setImmediate();
    expect(poured - items.length).toBeLessThanOrEqual(10);
  }
  await pouring;
  expect(items).toEqual(Array.from({ length: 100 }, (_, index) => index));
});

test("waiting for room ends with the queue", async () => {
  const queue = new Queue<number>();
  queue.push(1);
  const waiting = queue.room(0);
  queue.end();
  await waiting;
});
