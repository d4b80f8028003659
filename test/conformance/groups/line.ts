/** Waiting for a lock: woken, in the order of coming, and nobody overtakes. */
import { expect, test } from "vitest";
import { until, within } from "../../helpers/until.ts";
import { type Board, failureOf } from "../driver.ts";
import type { Granted, Waiting, WaitOptions } from "../locking.ts";
import type { Target } from "../target.ts";

export function line(target: Target): void {
  test("is served in the order of coming", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    let held = await aside.locks.acquire("lock");
    const waiting: Waiting[] = [];
    for (let n = 0; n < (target.form === "library" ? 6 : 2); n++) waiting.push(await stand(board, aside));
    const settled: number[] = [];
    for (const [index, { granted }] of waiting.entries()) void granted.then(() => settled.push(index));
    for (const [index, { granted }] of waiting.entries()) {
      expect(await aside.locks.release("lock", held.token)).toBe(true);
      const next = await within(`the grant of ${index}`, granted);
      expect(next.fence).toBeGreaterThan(held.fence);
      expect(settled).toEqual(Array.from({ length: index + 1 }, (_, n) => n));
      held = next;
    }
    expect(await aside.locks.show("lock")).toMatchObject({ waiting: 0, holders: [{ fence: held.fence }] });
  });

  test("is not overtaken by those who only try, nor by those who come later", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    for (let round = 0; round < (target.form === "library" ? 20 : 1); round++) {
      const held = await aside.locks.acquire("lock");
      const first = await stand(board, aside);
      const tries = Array.from({ length: 5 }, () => failureOf(aside.locks.acquire("lock")));
      const [isReleased, ...refusals] = await Promise.all([
        aside.locks.release("lock", held.token),
        ...tries,
      ]);
      expect(isReleased).toBe(true);
      const late = aside.locks.wait("lock");
      expect(refusals.map(({ kind }) => kind)).toEqual(refusals.map(() => "conflict"));
      const next = await within("the grant", first.granted);
      await aside.locks.release("lock", next.token);
      const last = await within("the grant of who came late", late.granted);
      expect(last.fence).toBeGreaterThan(next.fence);
      await aside.locks.release("lock", last.token);
    }
  });

  test("is left by who is stopped, or has waited long enough", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const held = await aside.locks.acquire("lock");
    const stopped = await stand(board, aside);
    const patient = await stand(aside, aside);
    await stopped.leave();
    await untilWaiting(aside, 1);
    const begun = performance.now();
    const late = await failureOf(board.locks.wait("lock", { waitMs: 300 }).granted);
    expect(late).toMatchObject({ kind: "timeout", message: expect.stringContaining("tester") });
    expect(late.told).not.toContain(held.token);
    expect(performance.now() - begun).toBeGreaterThan(290);
    await untilWaiting(aside, 1);
    expect(await aside.locks.release("lock", held.token)).toBe(true);
    const next = await within("the grant of who has stayed", patient.granted);
    await aside.locks.release("lock", next.token);
    await aside.locks.acquire("lock"); // nobody else is to have it
  });

  test("is not stood in where it is free", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const held = await within("a grant", board.locks.wait("lock", { waitMs: 20_000 }).granted);
    expect(await aside.locks.show("lock")).toMatchObject({ waiting: 0, holders: [{ fence: held.fence }] });
    await aside.locks.release("lock", held.token);
    expect(await aside.locks.show("lock")).toBeNull();
    expect(await aside.locks.list()).toEqual([]);
  });

  test("moves on when a grant's time is up", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const held = await aside.locks.acquire("lock", { ttlMs: 2000 });
    const waiting = await stand(board, aside);
    const next = await within("the grant", waiting.granted);
    expect(Date.now()).toBeGreaterThanOrEqual(held.expiresAt - 2);
    expect(next.fence).toBeGreaterThan(held.fence);
  });

  test("for slots moves on with each that is free, and keeps its order", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const two = { slots: 2 };
    const held = [await aside.locks.acquire("lock", two), await aside.locks.acquire("lock", two)];
    const alone = await stand(board, aside); // who must have it alone is not overtaken by who needs less
    const next = await stand(aside, aside, two);
    await aside.locks.release("lock", held[0]?.token ?? "");
    expect((await failureOf(aside.locks.acquire("lock", two))).kind).toBe("conflict");
    await untilWaiting(aside, 2);
    await aside.locks.release("lock", held[1]?.token ?? "");
    const granted = await within("the grant of who is alone", alone.granted);
    const other = await within("the other slot", next.granted);
    expect(other.fence).toBeGreaterThan(granted.fence);
  });

  test("is kept over broken connections", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const held = await aside.locks.acquire("lock", { ttlMs: 60_000 });
    const waiting = await stand(board, aside);
    await target.breakConnections();
    const release = () => aside.locks.release("lock", held.token).catch(() => null);
    await until("it to be released", async () => (await release()) !== null);
    const next = await within("the grant", waiting.granted, 30_000);
    expect(next.fence).toBeGreaterThan(held.fence);
  });
}

/** Whoever waits then stands behind all others. */
async function stand(board: Board, aside: Board, options: WaitOptions = {}): Promise<Waiting> {
  const before = (await aside.locks.show("lock"))?.waiting ?? 0;
  const waiting = board.locks.wait("lock", options);
  const failed = failureFirst(waiting.granted);
  await Promise.race([untilWaiting(aside, before + 1), failed]);
  return waiting;
}

/** Only ever rejects. */
function failureFirst(granted: Promise<Granted>): Promise<never> {
  return new Promise((_, reject) => void granted.catch(reject));
}

async function untilWaiting(aside: Board, count: number): Promise<void> {
  await until(`${count} to wait`, async () => ((await aside.locks.show("lock"))?.waiting ?? 0) === count);
}
