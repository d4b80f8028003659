/** Locks: held by one, for a time, by whoever has the token. */
import { hostname } from "node:os";
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import { failureOf } from "../driver.ts";
import type { Target } from "../target.ts";
import { writerOf } from "../writing.ts";

const FOREIGN_TOKEN = "0123456789abcdef0123456789abcdef";

export function locks(target: Target): void {
  test("are held by one until that gives them back", async () => {
    const board = await target.open();
    const aside = await writerOf(target, board, "other");
    const first = await board.locks.acquire("lock");
    expect(first.token).toMatch(/^[0-9a-f]{32}$/);
    const refusal = await failureOf(aside.locks.acquire("lock"));
    expect(refusal).toMatchObject({ kind: "conflict", message: expect.stringContaining("tester") });
    expect(refusal.told).not.toContain(first.token);
    expect((await failureOf(board.locks.acquire("lock"))).kind).toBe("conflict"); // nor again by its holder
    expect(await board.locks.release("lock", first.token)).toBe(true);
    expect(await aside.locks.release("lock", first.token)).toBe(false);
    const second = await aside.locks.acquire("lock");
    expect(second.fence).toBeGreaterThan(first.fence);
    expect(second.token).not.toBe(first.token);
  });

  test("are refreshed and released by their own token only", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const [granted, other] = [await aside.locks.acquire("lock"), await aside.locks.acquire("other")];
    for (const token of target.few([FOREIGN_TOKEN, other.token])) {
      expect(await board.locks.refresh("lock", token)).toBeNull();
      expect(await board.locks.release("lock", token)).toBe(false);
    }
    expect(await aside.locks.release("none", granted.token)).toBe(false);
    expect((await failureOf(aside.locks.acquire("lock"))).kind).toBe("conflict");
    const { lock, fence } = granted;
    expect(await board.locks.refresh("lock", granted.token)).toMatchObject({ lock, fence });
    expect(await board.locks.release("lock", granted.token)).toBe(true);
    expect(await aside.locks.refresh("lock", granted.token)).toBeNull();
  });

  test("are free when their time is up, and nothing brings the old grant back", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const before = Date.now();
    const first = await board.locks.acquire("lock", { ttlMs: 700 });
    expect(first.expiresAt - before).toBeGreaterThanOrEqual(700 - 2);
    expect(first.expiresAt - Date.now()).toBeLessThanOrEqual(700 + 2);
    await until("it to be free", async () => (await aside.locks.show("lock")) === null);
    expect(Date.now()).toBeGreaterThanOrEqual(first.expiresAt - 2);
    expect(await board.locks.refresh("lock", first.token)).toBeNull();
    expect(await aside.locks.release("lock", first.token)).toBe(false);
    const second = await aside.locks.acquire("lock");
    expect(second.fence).toBeGreaterThan(first.fence);
    expect(await aside.locks.refresh("lock", first.token)).toBeNull();
    expect(await aside.locks.release("lock", first.token)).toBe(false);
    expect((await aside.locks.show("lock"))?.holders).toMatchObject([{ fence: second.fence }]);
  });

  test("begin their time anew when refreshed, with another one if that is given", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const granted = await aside.locks.acquire("lock", { ttlMs: 60_000 });
    const leftMs = async () => (await aside.locks.show("lock"))?.holders[0]?.leftMs ?? 0;
    await until("some of it to be over", async () => (await leftMs()) < 59_950);
    const again = await aside.locks.refresh("lock", granted.token);
    expect(again?.expiresAt).toBeGreaterThan(granted.expiresAt);
    const longer = await board.locks.refresh("lock", granted.token, 600_000);
    expect(longer).toMatchObject({ lock: "lock", fence: granted.fence });
    expect(longer?.expiresAt).toBeGreaterThan(Date.now() + 500_000);
    expect(await leftMs()).toBeGreaterThan(500_000);
    await aside.locks.refresh("lock", granted.token, 100);
    await until("it to be free", async () => (await aside.locks.show("lock")) === null);
  });

  test("of another name, or on another board, are others", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const elsewhere = await target.aside({
      settings: { ...board.settings, prefix: `${board.settings.prefix}2` },
    });
    const tokens = [
      await aside.locks.acquire("lock"),
      await aside.locks.acquire("Lock"),
      await aside.locks.acquire("lock "),
      await elsewhere.locks.acquire("lock"),
      await aside.locks.acquire("a:*[b]"),
    ].map(({ token }) => token);
    expect(new Set(tokens).size).toBe(5);
    expect(await elsewhere.locks.release("lock", tokens[0] ?? "")).toBe(false);
    expect((await elsewhere.locks.list()).map(({ lock }) => lock)).toEqual(["lock"]);
    const names = (await board.locks.list()).map(({ lock }) => lock);
    expect(names).toEqual(["Lock", "a:*[b]", "lock", "lock "]);
  });

  test("have names of 1 to 1024 bytes, without control characters", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    for (const name of target.few(["é".repeat(512), "🦊", "--json", "-"])) {
      const { token } = await board.locks.acquire(name);
      expect(await aside.locks.release(name, token)).toBe(true);
    }
    for (const name of target.few(["k".repeat(1025), "", "a\nb", "\u001b[31m", "a\u0085"])) {
      expect((await failureOf(board.locks.acquire(name))).kind).toBe("usage");
      expect((await failureOf(aside.locks.acquire(name))).kind).toBe("usage");
      expect((await failureOf(aside.locks.show(name))).kind).toBe("usage");
    }
    expect(await aside.locks.list()).toEqual([]);
  });

  test("tell who holds them, and never the token", async () => {
    const board = await target.open({ agent: "the owner, 作者" });
    const other = await writerOf(target, board, "other");
    expect(await other.locks.list()).toEqual([]);
    expect(await board.locks.show("lock")).toBeNull();
    const granted = await board.locks.acquire("lock", { ttlMs: 60_000 });
    const more = await other.locks.acquire("another");
    const owner = { owner: "the owner, 作者", host: hostname(), pid: process.pid, fence: granted.fence };
    const [another, lock, ...rest] = await board.locks.list();
    expect(rest).toEqual([]);
    expect(another).toMatchObject({ lock: "another", holders: [{ owner: "other", fence: more.fence }] });
    expect(lock).toMatchObject({ lock: "lock", waiting: 0, holders: [owner] });
    const shown = await board.locks.show("lock");
    expect(shown).toMatchObject({ lock: "lock", waiting: 0, holders: [owner] });
    const [holder] = shown?.holders ?? [];
    expect(holder?.ageMs).toBeLessThan(20_000);
    expect(holder?.leftMs).toBeLessThanOrEqual(60_000);
    expect((holder?.ageMs ?? 0) + (holder?.leftMs ?? 0)).toBeGreaterThanOrEqual(60_000 - 2);
    for (const { token } of [granted, more])
      expect(JSON.stringify([lock, another, shown])).not.toContain(token);
    expect((await other.status()).stores[0]?.locks).toBe(2);
    await other.locks.release("another", more.token);
    expect((await other.locks.list()).map((one) => one.lock)).toEqual(["lock"]);
    expect((await other.status()).stores[0]?.locks).toBe(1);
  });

  test("with slots are held by so many", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const slots = { slots: 2 };
    const first = await board.locks.acquire("lock", slots);
    const second = await aside.locks.acquire("lock", slots);
    expect(second.fence).toBeGreaterThan(first.fence);
    expect((await failureOf(aside.locks.acquire("lock", slots))).kind).toBe("conflict");
    const holders = (await board.locks.show("lock"))?.holders;
    expect(holders?.map(({ fence }) => fence)).toEqual([first.fence, second.fence]);
    expect(await aside.locks.release("lock", first.token)).toBe(true);
    expect((await failureOf(aside.locks.acquire("lock"))).kind).toBe("conflict"); // as one of one
    const third = await aside.locks.acquire("lock", slots);
    expect(third.fence).toBeGreaterThan(second.fence);
    expect((await aside.status()).stores[0]?.locks).toBe(1);
  });

  test("are neither keys nor channels nor changes", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const watcher = await aside.watch(["*"]);
    const held = await aside.locks.acquire("lock");
    await aside.locks.refresh("lock", held.token);
    const waiting = aside.locks.wait("lock");
    await until("somebody to wait", async () => (await aside.locks.show("lock"))?.waiting === 1);
    expect(await board.keys()).toEqual([]);
    expect(await aside.channels()).toEqual([]);
    expect(await aside.exists("lock")).toBe(0);
    expect(await aside.take(["*"])).toBeNull();
    expect(await aside.clear("*", { yes: true })).toBe(0);
    expect((await aside.status()).stores).toMatchObject([{ keys: 0, messages: 0, channels: 0, locks: 1 }]);
    expect(await aside.locks.release("lock", held.token)).toBe(true);
    const next = await waiting.granted;
    expect(await aside.locks.release("lock", next.token)).toBe(true);
    await aside.set("end", "");
    expect((await watcher.take(1)).map(({ key }) => key)).toEqual(["end"]);
    expect(await aside.history("lock")).toEqual([]);
  });
}
