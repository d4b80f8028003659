/** Writes under a grant of a lock, on a board file. */
import { afterEach, expect, test } from "vitest";
import type { Fence, SetResult } from "../../src/core/conditional.ts";
import { numberToMs } from "../../src/core/ids.ts";
import { until } from "../helpers/until.ts";
import { hold } from "./memory-lock-world.ts";
import { bytes, cleanUp, kindsOf, newPath, open, plain } from "./memory-world.ts";

afterEach(cleanUp);

const UNKNOWN = { written: false, because: "fence", by: null, at: null, ageMs: null };

/** A board with the lock `l`, and a `set` under a grant of it. */
async function locked(path = newPath()) {
  const backend = await open(path);
  const set = (fence: number, lock = "l"): Promise<SetResult> =>
    backend.set("t:k", bytes("v"), plain({ fence: { lock, fence } satisfies Fence }));
  return { path, backend, set };
}

test("stand while the grant does and after it, until the next one, which says who has it", async () => {
  const { path, backend, set } = await locked();
  const { fence } = await hold(backend, "a");
  expect(await set(fence)).toMatchObject({ written: true });
  await backend.releaseLock("l", "a");
  expect(await set(fence)).toMatchObject({ written: true });
  const next = await hold(backend, "b", { ttlMs: 1 });
  const refused = { written: false, because: "fence", by: "b@here", at: numberToMs(next.fence) };
  expect(await set(fence)).toEqual({ ...refused, ageMs: expect.any(Number) });
  await until("its time is up", async () => (await backend.locks("l")).length === 0);
  expect(await set(fence)).toMatchObject(refused);
  expect(await set(next.fence)).toMatchObject({ written: true });
  expect(kindsOf(path, "t:k")).toEqual(["set", "set", "set"]);
});

test("do not stand with a number that is no grant's, for another lock, or on another board", async () => {
  const { path, backend, set } = await locked();
  expect(await set(1)).toEqual(UNKNOWN);
  const { fence } = await hold(backend, "a");
  expect(await set(fence - 1)).toMatchObject({ by: "a@here" });
  expect(await set(fence + 1)).toMatchObject({ by: "a@here" });
  expect(await set(fence, "m")).toEqual(UNKNOWN);
  const other = await open(path, { prefix: "u" });
  expect(await other.set("u:k", bytes("v"), plain({ fence: { lock: "l", fence } }))).toEqual(UNKNOWN);
  expect(kindsOf(path, "t:k")).toEqual([]);
});

test("of several slots stand each as long as its grant, and after it until the next one", async () => {
  const { backend, set } = await locked();
  const one = await hold(backend, "a", { slots: 2 });
  const two = await hold(backend, "b", { slots: 2 });
  for (const { fence } of [one, two]) expect(await set(fence)).toMatchObject({ written: true });
  await backend.releaseLock("l", "a");
  expect(await set(one.fence)).toMatchObject({ written: true });
  await hold(backend, "c", { slots: 2 });
  expect(await set(two.fence)).toMatchObject({ written: true });
  expect(await set(one.fence)).toMatchObject({ because: "fence", by: "c@here" });
});

test("come before the condition", async () => {
  const { backend } = await locked();
  const { fence } = await hold(backend, "a");
  const write = (number: number) => {
    const condition = { if: "present" } as const;
    return backend.set("t:k", bytes("v"), plain({ condition, fence: { lock: "l", fence: number } }));
  };
  expect(await write(fence)).toMatchObject({ because: "condition" });
  expect(await write(1)).toMatchObject({ because: "fence" });
});
