/** Who stands in the line of a lock and does not come: nobody is kept from it for longer than a turn, however it asks. */
import { afterEach, expect, test } from "vitest";
import type { Backend } from "../../src/core/backend.ts";
import { TURN_MS } from "../../src/core/lock.ts";
import { until, within } from "../helpers/until.ts";
import { lockFile } from "./memory-consumer-world.ts";
import { granted, hold, line, request, tokensIn } from "./memory-lock-world.ts";
import { cleanUp, newPath, open, query } from "./memory-world.ts";

afterEach(cleanUp);

const OLD_BOOT = "7a1f0c52-3b6e-4d0b-9a5e-0f6a2c1d9e88 pid:[4026531836]";

/** Puts somebody in line who never comes, in a place from where nothing is known of it. */
function strand(path: string, token: string, { scene = "elsewhere", slots = 1 } = {}): void {
  const values = `'${token}', ${slots}, 4711, '1', '${scene}'`;
  query(path, `INSERT INTO line (lock, token, slots, pid, started, scene) SELECT id, ${values} FROM locks`);
}

/** What is noted of those in line. */
const toldIn = (path: string) => query(path, "SELECT told FROM line ORDER BY id").map(({ told }) => told);

/** How long whoever only tries, again and again, is refused, in milliseconds. */
async function refusedMs(backend: Backend, token: string): Promise<number> {
  const begun = performance.now();
  await until(`${token} gets it`, () => backend.tryLock("l", request(token)));
  return performance.now() - begun;
}

test("a lock that was given back is had by who only tries, one turn later for each who does not come", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me");
  strand(path, "a");
  strand(path, "b");
  const released = performance.now();
  await backend.releaseLock("l", "me");
  await refusedMs(backend, "hasty");
  expect(performance.now() - released).toBeGreaterThanOrEqual(2 * TURN_MS - 10);
  expect(performance.now() - released).toBeLessThan(2 * TURN_MS + 900);
  expect(tokensIn(path)).toEqual([]);
});

test("a lock that was not given back is had by the second of two tries that are a turn apart", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me", { ttlMs: 1 });
  strand(path, "a");
  await until("its time is up", async () => (await backend.locks("l"))[0]?.holders.length === 0);
  query(path, "UPDATE holders SET expires_at = 1"); // long ago
  const ms = await refusedMs(backend, "hasty");
  expect(ms).toBeGreaterThanOrEqual(TURN_MS - 10);
  expect(ms).toBeLessThan(TURN_MS + 900);
});

test("a turn does not begin before there is a slot, nor end when the clock was put back", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me");
  strand(path, "a");
  expect(await backend.tryLock("l", request("hasty"))).toBeNull();
  expect(toldIn(path)).toEqual([null]);
  await backend.releaseLock("l", "me");
  expect(toldIn(path)).toEqual([expect.any(Number)]);
  for (const ahead of [TURN_MS, 3_600_000]) {
    query(path, "UPDATE line SET told = ?", Date.now() + ahead);
    expect(await backend.tryLock("l", request("hasty"))).toBeNull();
    expect(toldIn(path)[0]).toBeLessThanOrEqual(Date.now());
  }
});

test("a turn that passed counts no more when who was late takes the slot after all", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me");
  strand(path, "late");
  strand(path, "next");
  await backend.releaseLock("l", "me");
  query(path, "UPDATE line SET told = told - ?", TURN_MS);
  await backend.releaseLock("l", "nobody"); // others look after the line, too
  expect(toldIn(path)).toEqual([expect.any(Number), expect.any(Number)]);
  await hold(backend, "late");
  expect(toldIn(path)).toEqual([null]);
});

test("for each free slot there is a turn", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me");
  for (const token of ["a", "b", "c"]) strand(path, token, { slots: 2 });
  await backend.releaseLock("l", "me");
  expect(toldIn(path)).toEqual([expect.any(Number), expect.any(Number), null]);
  await hold(backend, "b", { slots: 2 });
  expect(toldIn(path)).toEqual([expect.any(Number), null]);
});

test("who stood in line before the machine was started again is passed over at once, and not counted", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me");
  strand(path, "a", { scene: OLD_BOOT });
  strand(path, "b", { scene: "host elsewhere" });
  expect((await backend.locks("l"))[0]?.waiting).toBe(1);
  query(path, "DELETE FROM line WHERE token = 'b'");
  await backend.releaseLock("l", "me");
  await hold(backend, "hasty");
  expect(tokensIn(path)).toEqual([]);
});

test("who could not come because the file was locked has its turn afterwards", async () => {
  const path = newPath();
  const [here, there] = [await open(path), await open(path)];
  await hold(here, "me");
  const waiters = [];
  for (const token of ["a", "b", "c", "d"]) waiters.push(await line(path, there, token));
  await here.releaseLock("l", "me");
  const file = lockFile(path);
  const begun = performance.now();
  await until("a turn has passed", () => performance.now() - begun > TURN_MS + 300);
  file.release();
  for (const [index, token] of ["a", "b", "c", "d"].entries()) {
    await granted(waiters[index]?.granted ?? Promise.resolve(null));
    expect(tokensIn(path)).toEqual(["b", "c", "d"].slice(index));
    await there.releaseLock("l", token);
  }
});

test("the first that lives gets it a turn later, however many wait behind somebody who does not come", async () => {
  const path = newPath();
  const backend = await open(path);
  await hold(backend, "me", { ttlMs: 300 });
  strand(path, "a");
  const waiters = [];
  for (const token of ["b", "c", "d"]) waiters.push(await line(path, backend, token));
  const over = performance.now();
  await within("the lock", waiters[0]?.granted ?? Promise.resolve(null));
  expect(performance.now() - over).toBeLessThan(300 + TURN_MS + 900);
  expect(tokensIn(path)).toEqual(["c", "d"]);
  expect(toldIn(path)).toEqual([null, null]);
});
