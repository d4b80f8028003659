/** What locks on a board file promise to several processes, with real ones: some are killed, some stopped. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { TURN_MS } from "../../src/core/lock.ts";
import type { Started } from "../helpers/processes.ts";
import { until } from "../helpers/until.ts";
import { granted, hold, leftIn, line, NOTHING, request, tokensIn } from "./memory-lock-world.ts";
import {
  bundleStore,
  cleanUp,
  inProcess,
  linesOf,
  newPath,
  open,
  query,
  removeBundle,
  succeed,
  together,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

/** The same in every process: `acquire(token)` waits for the lock `l`. */
const ACQUIRE = `
  const request = (token, ttlMs = 60_000) => ({ token, ttlMs, slots: 1, owner: "child", host: "here", pid: process.pid });
  const patience = { signal: new AbortController().signal, onState: (state) => say(JSON.stringify(state)) };
  const acquire = (token, ttlMs) => backend.awaitLock("l", request(token, ttlMs), patience);`;

/** A process that waits in line, says what it was granted, and gives it back at once. */
function waiter(path: string, token: string): Started {
  return inProcess(
    path,
    `${ACQUIRE} const { fence } = await acquire("${token}"); say("granted " + fence); await backend.releaseLock("l", "${token}");`,
  );
}

async function waitersInLine(path: string, ...tokens: string[]): Promise<Started[]> {
  const children: Started[] = [];
  for (const token of tokens) {
    children.push(waiter(path, token));
    await until(`${token} stands in line`, () => tokensIn(path).includes(token));
  }
  return children;
}

/** The fences they were granted, in the order of the processes. */
function fencesOf(children: readonly Started[]): number[] {
  return children.flatMap(linesOf).map((text) => Number(text.replace("granted ", "")));
}

test("eight waiting processes are served in the order in which they came", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me");
  const children = await waitersInLine(path, ..."abcdefgh");
  expect((await backend.locks("l"))[0]?.waiting).toBe(8);
  await backend.releaseLock("l", "me");
  await succeed(children);
  const fences = fencesOf(children);
  expect(fences).toEqual([...fences].sort((left, right) => left - right));
  expect(new Set(fences).size).toBe(8);
  expect(leftIn(path)).toEqual(NOTHING);
});

test("a counter that nothing else protects is exact", async () => {
  const path = newPath();
  const counter = `${path}.counter`;
  writeFileSync(counter, "0");
  const code = `${ACQUIRE}
    const fs = await import("node:fs");
    for (let i = 0; i < 25; i++) {
      const token = process.pid + "-" + i;
      const { fence } = (await backend.tryLock("l", request(token))) ?? (await acquire(token));
      const now = Number(fs.readFileSync(${JSON.stringify(counter)}, "utf8"));
      await new Promise((resolve) => setImmediate(resolve));
      fs.writeFileSync(${JSON.stringify(counter)}, String(now + 1));
      say("granted " + fence);
      if (!(await backend.releaseLock("l", token))) throw new Error("it was not held");
    }`;
  const children = await together(6, path, code);
  await succeed(children);
  expect(readFileSync(counter, "utf8")).toBe("150");
  const said = children.flatMap(linesOf).filter((text) => text.startsWith("granted"));
  expect(new Set(said).size).toBe(150);
  expect(leftIn(path)).toEqual(NOTHING);
});

test("a killed process that waited is passed over at once, and not counted", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me");
  const [dead] = (await waitersInLine(path, "a")) as [Started];
  const next = await line(path, backend, "b");
  dead.process.kill("SIGKILL");
  await dead.ended;
  expect((await backend.locks("l"))[0]?.waiting).toBe(1);
  const released = performance.now();
  await backend.releaseLock("l", "me");
  await granted(next.granted);
  expect(performance.now() - released).toBeLessThan(TURN_MS);
  expect(tokensIn(path)).toEqual([]);
});

test("a killed process that waited keeps nobody who comes from what is free", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me");
  const [dead] = (await waitersInLine(path, "a")) as [Started];
  dead.process.kill("SIGKILL");
  await dead.ended;
  await backend.releaseLock("l", "me");
  await hold(backend, "again");
  expect(tokensIn(path)).toEqual([]);
});

test("a stopped process loses its place after a while, comes back at the end of the line, and keeps to it", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me");
  const [stopped] = (await waitersInLine(path, "a")) as [Started];
  stopped.process.kill("SIGSTOP");
  const released = performance.now();
  await backend.releaseLock("l", "me");
  for (const slots of [1, 2]) expect(await backend.tryLock("l", request("hasty", { slots }))).toBeNull(); // it may still take it
  const [next, last] = [await line(path, backend, "b"), await line(path, backend, "c")];
  await granted(next.granted);
  expect(performance.now() - released).toBeGreaterThanOrEqual(TURN_MS - 5);
  expect(tokensIn(path)).toEqual(["c"]);
  stopped.process.kill("SIGCONT");
  await until("it stands in line again", () => tokensIn(path).length === 2);
  expect(tokensIn(path)).toEqual(["c", "a"]);
  await backend.releaseLock("l", "b");
  await granted(last.granted);
  expect(linesOf(stopped)).toEqual([]);
  await backend.releaseLock("l", "c");
  await succeed([stopped]);
  expect(leftIn(path)).toEqual(NOTHING);
});

test("a stopped process keeps who only tries from what is free for a while, and not for ever", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me");
  const [stopped] = (await waitersInLine(path, "a")) as [Started];
  stopped.process.kill("SIGSTOP");
  const released = performance.now();
  await backend.releaseLock("l", "me");
  await until("it is had", () => backend.tryLock("l", request("hasty")));
  expect(performance.now() - released).toBeGreaterThanOrEqual(TURN_MS - 10);
  stopped.process.kill("SIGCONT");
  await until("it stands in line again", () => tokensIn(path).length === 1);
  expect(await backend.releaseLock("l", "hasty")).toBe(true);
  await succeed([stopped]);
});

test("two that do not come are passed over one after the other, also a dead one in another place, of which that cannot be told", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me");
  const [stopped, dead] = (await waitersInLine(path, "a", "b")) as [Started, Started];
  const next = await line(path, backend, "c");
  stopped.process.kill("SIGSTOP");
  dead.process.kill("SIGKILL");
  await dead.ended;
  query(path, "UPDATE line SET scene = 'elsewhere' WHERE token = 'b'");
  await backend.releaseLock("l", "me");
  await granted(next.granted);
  expect(tokensIn(path)).toEqual([]);
});

test("what a killed process held goes to the next one when its time is up, with a greater number", async () => {
  const path = newPath();
  const backend = await open(path);
  const holder = inProcess(
    path,
    `${ACQUIRE} const { fence, expiresAt } = await acquire("a", 1000); say(fence + " " + expiresAt); await told;`,
  );
  const text = await until("it holds the lock", () => linesOf(holder)[0]);
  const [fence, expiresAt] = text.split(" ").map(Number) as [number, number];
  const next = await line(path, backend, "b");
  holder.process.kill("SIGKILL");
  const grant = await granted(next.granted);
  const lateMs = Date.now() - expiresAt;
  expect(lateMs).toBeGreaterThanOrEqual(0);
  expect(lateMs).toBeLessThan(2000);
  expect(grant.fence).toBeGreaterThan(fence);
});
