/** A board file that another process has locked for long: said once, and nothing is lost. */
import { setImmediate } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { FollowState } from "../../src/core/types.ts";
import { waitFor } from "../../src/core/waiting.ts";
import type { Delivery } from "../../src/core/worker.ts";
import { until, within } from "../helpers/until.ts";
import { lockFile, NEVER, send, shown, takeAll, takeOne, work } from "./memory-consumer-world.ts";
import { bytes, channels, cleanUp, LIVE, newPath, open, plain, take, texts } from "./memory-world.ts";

afterEach(cleanUp);

/** What a follower or worker is to say of one lock. */
const AWAY = {
  state: "away",
  store: "memory",
  reason: expect.stringMatching(/board\.db is locked by another process for over 0\.\d+s$/),
};
const BACK = { state: "back", store: "memory", recovered: 0, awayMs: expect.any(Number) };

function listener(): { readonly states: FollowState[]; readonly onState: (state: FollowState) => void } {
  const states: FollowState[] = [];
  return { states, onState: (state) => void states.push(state) };
}

test("a follower says so, and when it is over; what is sent then comes", async () => {
  const path = newPath();
  const backend = await open(path, { timeoutMs: 300 });
  const { states, onState } = listener();
  const follower = backend.follow(channels("t:c"), { ...LIVE, onState });
  const items = follower[Symbol.asyncIterator]();
  await follower.ready;
  await backend.publish("t:c", bytes("1"), "me");
  expect(texts(await take(items, 1))).toEqual(["1"]);
  const lock = lockFile(path);
  await until("it noticed", () => states.length === 1);
  lock.release();
  await until("it is back, sooner than its next sign of life", () => states.length === 2, 6000);
  await backend.publish("t:c", bytes("2"), "me");
  expect(texts(await take(items, 1))).toEqual(["2"]);
  expect(states).toEqual([AWAY, BACK]);
  expect(states[1]).toMatchObject({ awayMs: expect.toSatisfy((ms: number) => ms >= 250) });
});

test("a worker says so once, whatever it was doing; all of it is done afterwards", async () => {
  const path = newPath();
  const backend = await open(path, { timeoutMs: 300 });
  await send(backend, "t:c", "1", "2", "3", "4");
  const { states, onState } = listener();
  const worker = await work(backend, { onState });
  const [one, two, three] = (await takeAll(worker, 3)) as [Delivery, Delivery, Delivery];
  const lock = lockFile(path);
  const done = [worker.ack(one), worker.giveUp(two, "bad"), worker.release(three)] as const;
  const next = worker.take(1, NEVER);
  await until("it noticed", () => states.length > 0);
  await expectNotBlocked();
  lock.release();
  await within("all of it", Promise.all(done));
  expect(
    shown(await within("the next", next))
      .concat(shown([await takeOne(worker)]))
      .sort(),
  ).toEqual(["3", "4"]);
  expect(states).toEqual([AWAY, BACK]);
  expect((await backend.channels("t:c:failed"))[0]?.messages).toBe(1);
});

test("a worker that only keeps what it holds says so, too; others wait their own time", async () => {
  const path = newPath();
  const backend = await open(path, { timeoutMs: 300 });
  await send(backend, "t:c", "1");
  const { states, onState } = listener();
  const worker = await work(backend, { onState, ackTimeoutMs: 900 });
  const held = await takeOne(worker);
  const lock = lockFile(path);
  await until("it noticed", () => states.length === 1);
  await expectNotBlocked();
  const begun = performance.now();
  const set = backend.set("t:k", bytes("v"), plain());
  await expect(set).rejects.toMatchObject({ kind: "unavailable" });
  expect(performance.now() - begun).toBeGreaterThan(280);
  lock.release();
  await until("it is back", () => states.length === 2);
  expect(await worker.retry(held)).toMatchObject({ attempt: 2 });
  expect(states).toEqual([AWAY, BACK]);
});

/**
 * Whoever waits for a lock inside SQLite stops the whole process, for 300 ms each time: no signal gets through. A busy machine may stop it as
 * well, but not always.
 */
async function expectNotBlocked(): Promise<void> {
  await until("a while in which nothing is held up", async () => (await longestStallMs()) < 250, 5000);
}

async function longestStallMs(): Promise<number> {
  let longestMs = 0;
  for (let last = performance.now(), end = last + 400; last < end; ) {
    await setImmediate();
    longestMs = Math.max(longestMs, performance.now() - last);
    last = performance.now();
  }
  return longestMs;
}

test("what is so already is waited for without writing", async () => {
  const path = newPath();
  const backend = await open(path, { timeoutMs: 300 });
  await backend.set("t:k", bytes("v"), plain());
  const lock = lockFile(path);
  const condition = { until: "present", from: null, isAnyEnough: false } as const;
  const options = { signal: undefined, onState: () => {}, timeoutMs: undefined };
  expect(await waitFor(backend, ["t:k"], condition, options)).toMatchObject([{ key: "t:k" }]);
  lock.release();
});
