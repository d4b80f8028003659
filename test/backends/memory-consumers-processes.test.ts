/** Workers in processes of their own: sharing, crashing, stopping. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Delivery } from "../../src/core/worker.ts";
import type { Started } from "../helpers/processes.ts";
import { until, within } from "../helpers/until.ts";
import { NEVER, numbers, send, shown, takeNow, work, workerCode } from "./memory-consumer-world.ts";
import {
  bundleStore,
  cleanUp,
  inProcess,
  linesOf,
  newPath,
  open,
  query,
  removeBundle,
  settings,
  succeed,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

/** Takes some at a time, says each with its attempt, takes its time, acknowledges. */
const HANDLE = (most: number, ms: number) => `
  for (;;) {
    for (const item of await worker.take(${most}, NEVER)) {
      say(item.entry.payload + " " + item.attempt);
      await new Promise((resolve) => setTimeout(resolve, ${ms}));
      await worker.ack(item);
    }
  }`;
/** Takes one, says so, and keeps it until it is told to do more. */
const KEEP = `
  const [item] = await worker.take(1, NEVER);
  say("has " + item.entry.payload);
  await told;`;
const has = (child: Started, text: string) =>
  until(`it has ${text}`, () => linesOf(child).includes(`has ${text}`));

describe("workers in other processes", () => {
  test("go on where another process stopped", async () => {
    const path = newPath();
    const backend = await open(path);
    await send(backend, "t:c", ...numbers(6));
    const code = `${workerCode(30_000)}
      for (let i = 0; i < 3; i++) { const [item] = await worker.take(1, NEVER); say(item.entry.payload.toString()); await worker.ack(item); }`;
    for (const from of [0, 3]) {
      const child = inProcess(path, code);
      await succeed([child]);
      expect(linesOf(child)).toEqual(numbers(3, from));
    }
  });

  test("share what is sent, each message handled by one, each worker's in order", async () => {
    const path = newPath();
    const backend = await open(path);
    const workers = [1, 2].map(() => inProcess(path, `${workerCode(30_000)} say("ready"); ${HANDLE(1, 1)}`));
    await until("both work", () => workers.every((child) => linesOf(child).includes("ready")));
    await send(backend, "t:c", ...numbers(500));
    const handled = workers.map(
      (child) => () =>
        linesOf(child)
          .slice(1)
          .map((line) => Number(line.split(" ")[0])),
    );
    await until("all are handled", () => handled.flatMap((lines) => lines()).length >= 500);
    await until("all are acknowledged", () => query(path, "SELECT 1 FROM pending").length === 0);
    const [one = [], other = []] = handled.map((lines) => lines());
    expect([...one, ...other].sort((a, b) => a - b)).toEqual(numbers(500).map(Number));
    for (const numbersOfOne of [one, other]) {
      expect(numbersOfOne.length).toBeGreaterThan(50);
      expect(numbersOfOne).toEqual([...numbersOfOne].sort((a, b) => a - b));
    }
  });

  test("that are killed lose what they held, not before the time is over, and are shown as dead", async () => {
    const path = newPath();
    const backend = await open(path);
    await send(backend, "t:c", ...numbers(2));
    const child = inProcess(path, `${workerCode(1200)} ${KEEP}`);
    await has(child, "0");
    const worker = await work(backend, { ackTimeoutMs: 1200 });
    expect(shown(await takeNow(worker))).toEqual(["1"]);
    child.process.kill("SIGKILL");
    await child.ended;
    const killedAt = performance.now();
    expect((await backend.consumers())[0]?.workers).toContainEqual({
      worker: expect.stringMatching(/^child#/),
      pending: 1,
      isAlive: false,
    });
    const [item] = await within("it is taken over", worker.take(1, NEVER));
    // It last renewed up to a third of its time before it was killed.
    expect(performance.now() - killedAt).toBeGreaterThan(700);
    expect(item).toMatchObject({ attempt: 2 });
    expect((item as Delivery).entry.payload.toString()).toBe("0");
    expect((await backend.consumers())[0]?.workers).toEqual([
      { worker: expect.stringMatching(/^tester#/), pending: 2, isAlive: true },
    ]);
  });

  test("keep what they hold while they run, and lose it while they are stopped", async () => {
    const path = newPath();
    const backend = await open(path);
    await send(backend, "t:c", "m");
    const child = inProcess(
      path,
      `${workerCode(300)} ${KEEP} say(String(await worker.retry(item))); await worker.ack(item); say("done"); await worker.close();`,
    );
    await has(child, "m");
    const worker = await work(backend, { ackTimeoutMs: 300 });
    expect(await worker.take(1, AbortSignal.timeout(900))).toEqual([]);
    child.process.kill("SIGSTOP");
    const [item] = await within("it is taken over", worker.take(1, NEVER));
    expect(item).toMatchObject({ attempt: 2 });
    child.process.kill("SIGCONT");
    child.process.stdin?.write("go\n");
    await succeed([child]);
    expect(linesOf(child)).toEqual(["has m", "null", "done"]);
    expect(await worker.retry(item as Delivery)).toBeNull();
  });

  test("under kill -9, 4 of them: none lost, and only what the killed ones held comes twice", async () => {
    const path = newPath();
    const COUNT = 2000;
    const history = { history: { ...settings(path).history, messagesPerChannel: COUNT } };
    const backend = await open(path, history);
    const start = () => inProcess(path, `${workerCode(1500)} ${HANDLE(4, 2)}`, history);
    const workers = [start(), start(), start(), start()];
    const killed: Started[] = [];
    const kill = () => {
      const working = workers.find((child) => linesOf(child).length > 0);
      if (working === undefined || killed.length === 10) return;
      workers.splice(workers.indexOf(working), 1, start());
      working.process.kill("SIGKILL");
      killed.push(working);
    };
    const sent = send(backend, "t:c", ...numbers(COUNT));
    const killing = setInterval(kill, 200);
    const handledBy = (children: readonly Started[]) =>
      children.flatMap((child) => linesOf(child).map((line) => line.split(" ")[0]));
    try {
      await until(
        "all are handled",
        () => new Set(handledBy([...killed, ...workers])).size === COUNT,
        50_000,
      );
    } finally {
      clearInterval(killing);
    }
    await sent;
    const rest = async () => (await backend.consumers())[0]?.channels[0];
    await until("nothing is left", async () => JSON.stringify(await rest()).includes('"pending":0,"lag":0'));
    const all = handledBy([...killed, ...workers]);
    const byKilled = new Set(handledBy(killed));
    const twice = all.filter((text, at) => all.indexOf(text) !== at);
    expect(killed.length).toBeGreaterThan(3);
    expect(twice.filter((text) => !byKilled.has(text))).toEqual([]);
    expect(twice.length).toBeLessThanOrEqual(4 * killed.length);
  });
});
