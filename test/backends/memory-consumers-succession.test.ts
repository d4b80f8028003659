/** The order of messages when a worker follows one that crashed. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Backend } from "../../src/core/backend.ts";
import type { FollowState, Selection } from "../../src/core/types.ts";
import type { Delivery, Worker } from "../../src/core/worker.ts";
import type { Started } from "../helpers/processes.ts";
import { until, within } from "../helpers/until.ts";
import { NEVER, numbers, send, takeAll, workerCode, work as workOf } from "./memory-consumer-world.ts";
import {
  bundleStore,
  channels,
  cleanUp,
  inProcess,
  linesOf,
  newPath,
  open,
  removeBundle,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

/** A worker in a process that holds the next so many messages of `t:c`. */
async function holder(path: string, count: number, ackTimeoutMs: number): Promise<Started> {
  const code = `await worker.take(${count}, NEVER); say("holds"); await told;`;
  const child = inProcess(path, `${workerCode(ackTimeoutMs)} ${code}`);
  await until("it holds them", () => linesOf(child).includes("holds"));
  return child;
}

async function kill(child: Started): Promise<void> {
  child.process.kill("SIGKILL");
  await child.ended;
}

async function work(backend: Backend, ackTimeoutMs: number, selection?: Selection) {
  const states: FollowState[] = [];
  const onState = (state: FollowState) => states.push(state);
  return { worker: await workOf(backend, { ackTimeoutMs, onState }, selection), states };
}

/** The next so many, taken at most so many at a time: text and attempt. A gap is an error. */
async function taken(worker: Worker, count: number, most = count): Promise<string[]> {
  const items = await takeAll(worker, count, most);
  return items.map((item) => `${(item as Delivery).entry.payload} ${(item as Delivery).attempt}`);
}

function atMostOf(state: FollowState | undefined): number {
  return state?.state === "waiting" ? state.atMostMs : Number.NaN;
}

test.each([1, 10])(
  "a worker that comes alone begins with what the killed one held, when its time is up; other channels go on (%i at a time)",
  async (most) => {
    const path = newPath();
    const backend = await open(path);
    await send(backend, "t:c", ...numbers(5));
    await kill(await holder(path, 3, 900));
    const { worker, states } = await work(backend, 300, channels("t:c", "t:d"));
    await send(backend, "t:d", "other");
    expect(await taken(worker, 1, most)).toEqual(["other 1"]);
    const taking = taken(worker, 6, most);
    await until("it says so", () => states.length > 0);
    const due = performance.now() + atMostOf(states[0]);
    expect(states).toEqual([{ state: "waiting", store: "memory", held: 3, atMostMs: expect.any(Number) }]);
    expect(states).toMatchObject([{ atMostMs: expect.toSatisfy((ms: number) => ms > 0 && ms <= 900) }]);
    await send(backend, "t:c", "5"); // what comes meanwhile waits its turn
    expect(await taking).toEqual(["0 2", "1 2", "2 2", "3 1", "4 1", "5 1"]);
    const lateMs = performance.now() - due;
    expect(lateMs).toBeGreaterThan(-200); // the state was told some moments before it was seen here
    expect(lateMs).toBeLessThan(500);
    expect(states).toHaveLength(1);
  },
);

test("it sleeps while it waits", async () => {
  const path = newPath();
  const backend = await open(path);
  await send(backend, "t:c", ...numbers(2));
  const holders = [await holder(path, 1, 60_000), await holder(path, 1, 100)];
  await Promise.all(holders.map(kill));
  const since = performance.now();
  const { worker, states } = await work(backend, 60_000);
  const taking = worker.take(9, NEVER);
  await until("the second one's time is up", () => performance.now() - since > 150 && states.length > 0);
  const before = process.cpuUsage();
  const from = performance.now();
  await until("a while", () => performance.now() - from > 600);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(75); // measured: 22 asleep, 140 looking again and again
  await worker.close();
  expect(await taking).toEqual([]);
});

test("several predecessors, whose times are up in another order", async () => {
  const path = newPath();
  const backend = await open(path);
  await send(backend, "t:c", ...numbers(4));
  const first = await holder(path, 1, 900);
  const second = await holder(path, 1, 300);
  await Promise.all([kill(first), kill(second)]);
  const { worker } = await work(backend, 300);
  expect(await taken(worker, 4)).toEqual(["0 2", "1 2", "2 1", "3 1"]);
});

test("a worker whose colleague is killed goes on at once", async () => {
  const path = newPath();
  const backend = await open(path);
  await send(backend, "t:c", ...numbers(2));
  const colleague = await holder(path, 1, 60_000);
  const { worker, states } = await work(backend, 60_000);
  await kill(colleague);
  await send(backend, "t:c", "2", "3");
  expect(await taken(worker, 3)).toEqual(["1 1", "2 1", "3 1"]);
  expect(states).toEqual([]);
});

test("once another worker is there nobody waits any more", async () => {
  const path = newPath();
  const backend = await open(path);
  await send(backend, "t:c", ...numbers(3));
  await kill(await holder(path, 1, 60_000));
  const alone = await work(backend, 60_000);
  const taking = taken(alone.worker, 1);
  await until("it waits", () => alone.states.length > 0);
  const other = await work(backend, 60_000);
  const both = [await within("one", taking), await taken(other.worker, 1)];
  expect(both.flat().sort()).toEqual(["1 1", "2 1"]);
  expect(other.states).toEqual([]);
});

test("a predecessor that ended in order is not waited for", async () => {
  const path = newPath();
  const backend = await open(path);
  await send(backend, "t:c", ...numbers(4));
  const first = await work(backend, 60_000);
  expect(await taken(first.worker, 3)).toHaveLength(3);
  await first.worker.close();
  const { worker, states } = await work(backend, 60_000);
  expect(await taken(worker, 4)).toEqual(["0 1", "1 1", "2 1", "3 1"]);
  expect(states).toEqual([]);
});
