/** Errors: the right kind for each fault, never a value in what is said, and nothing done. */
import { expect, test } from "vitest";
import { inParallel } from "../../helpers/parallel.ts";
import { within } from "../../helpers/until.ts";
import { failureOf } from "../driver.ts";
import type { Target } from "../target.ts";

const LIMIT_ON_FILE = 64 * 1024 * 1024;

export function errors(target: Target): void {
  test("no time to live that is nothing, negative or beyond reason", async () => {
    const board = await target.open();
    for (const ttlMs of target.some([0, -1, 1e18])) {
      expect(await failureOf(board.set("key", "secret", { ttlMs })), String(ttlMs)).toMatchObject({
        kind: "usage",
      });
      expect(await failureOf(board.expire("key", ttlMs)), String(ttlMs)).toMatchObject({ kind: "usage" });
    }
    expect(await board.keys()).toEqual([]);
  });

  test("no call without a key or channel", async () => {
    const board = await target.open();
    expect(await failureOf(board.subscribe([]))).toMatchObject({ kind: "usage" });
    expect(await failureOf(board.subscribe([""]))).toMatchObject({ kind: "usage" });
    expect(await failureOf(board.publish("", "secret"))).toMatchObject({ kind: "usage" });
  });

  test("the store's limit of a value is said, and the file's is 64 MiB", async () => {
    const board = await target.open();
    const value = Buffer.alloc(LIMIT_ON_FILE + 1, "s");
    expect(await board.set("large", value.subarray(1))).toMatchObject({ written: true });
    if (target.store === "redis") {
      await board.set("larger", value); // the limit there is 512 MiB
    } else {
      for (const write of [board.set("larger", value), board.publish("larger", value)].map(failureOf)) {
        const failure = await write;
        expect(failure.kind).toBe("usage");
        expect(failure.message).toContain(String(LIMIT_ON_FILE));
      }
    }
    const sizes = (await board.list()).map(({ size }) => size);
    expect(sizes).toEqual(target.store === "redis" ? [LIMIT_ON_FILE, LIMIT_ON_FILE + 1] : [LIMIT_ON_FILE]);
  }, 60_000);

  test("no call that makes no sense, and nothing of it is repeated or done", async () => {
    const board = await target.open();
    await inParallel(target.some(board.misuses), 4, async ({ what, call }) => {
      const failure = await failureOf(call()).catch((error: unknown) => {
        throw new Error(`${what}: ${error}`);
      });
      expect(failure.kind, what).toMatch(/^(usage|config)$/);
      expect(failure.message, what).not.toContain("secret");
      expect(failure.message, what).toMatch(/^[^\n]+$/);
    });
    expect(await board.keys()).toEqual([]);
    expect(await board.channels()).toEqual([]);
  });

  test("a place where no store can be: an error within the timeout, and nothing is waited for", async () => {
    const place = target.brokenPlace();
    const calls = [
      async () => (await target.open({ place, timeoutMs: 1000 })).get("key"),
      async () => (await target.open({ place, timeoutMs: 1000 })).set("key", "secret"),
      async () => (await target.open({ place, timeoutMs: 1000 })).status(),
    ];
    for (const call of calls) {
      const failure = await within("an error", failureOf(call()), 5000);
      expect(failure.kind).toBe(target.store === "redis" ? "unavailable" : "config");
      expect(failure.told).not.toContain("secret");
    }
  });

  test("a prefix of timmy-bb's own is no setting", async () => {
    const open = async () => (await target.open({ prefix: "timmy-bb" })).get("key");
    expect((await failureOf(open())).kind).toMatch(/^(config|usage)$/);
  });

  test("a failure leaves the board as it was, and the next call works", async () => {
    const board = await target.open();
    await board.set("key", "text");
    expect(await failureOf(board.incr("key"))).toMatchObject({ kind: "conflict" });
    expect(await failureOf(board.keys(""))).toMatchObject({ kind: "usage" });
    expect(String(await board.get("key"))).toBe("text");
    expect(await board.incr("count")).toBe(1n);
  });
}
