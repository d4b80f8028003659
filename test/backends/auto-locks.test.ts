/** What decides who wins, in `auto`: redis or nothing; and a lock that is held while redis goes. */
import { existsSync } from "node:fs";
import { afterAll, describe, expect, test, vi } from "vitest";
import type { Blackboard } from "../../src/index.ts";
import { killProcesses } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { until, within } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

afterAll(() => {
  killProcesses();
  removeTempDirs();
});

function auto(url: string): Workplace {
  return Workplace.bare({ TIMMY_BB_BACKEND: "auto", TIMMY_BB_URL: url });
}

function openAuto(place: Workplace, url: string): Promise<Blackboard> {
  return place.openBoard({ backend: "auto", url, timeoutMs: 2000, onNotice: () => {} });
}

const DECIDING: ReadonlyArray<readonly [string, (board: Blackboard) => Promise<unknown>]> = [
  ["set under a condition", (board) => board.set("k", "v", { if: "absent" })],
  ["set with a fence", (board) => board.set("k", "v", { fence: { lock: "x", fence: 1 } })],
  ["deleteIf", (board) => board.deleteIf("k", "v")],
  ["expireIf", (board) => board.expireIf("k", "v", 1000)],
  ["take", (board) => board.take("*")],
  ["take that waits", (board) => board.take("*", { timeoutMs: 60_000 })],
  ["lock", (board) => board.lock("x", {}, () => "never")],
  ["acquire", (board) => board.locks.acquire("x")],
  ["refresh", (board) => board.locks.refresh("x", "token")],
  ["release", (board) => board.locks.release("x", "token")],
  ["show", (board) => board.locks.show("x")],
  ["list", (board) => board.locks.list()],
];

describe("redis is out of reach", () => {
  test.each(DECIDING)("%s is refused, and nothing is written to the file", async (_what, attempt) => {
    const place = auto("redis://127.0.0.1:1");
    await using board = await openAuto(place, "redis://127.0.0.1:1");
    await expect(attempt(board)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringMatching(/is not decided on the file, two could win$/),
      hint: expect.stringContaining("--backend memory"),
    });
    expect(existsSync(place.boardFile)).toBe(false);
  });

  test("the commands exit 4 and say why", async () => {
    const place = auto("redis://127.0.0.1:1");
    const calls = [
      ["take", "*"],
      ["del", "k", "--if-value", "v"],
      ["lock", "acquire", "x"],
      ["lock", "list"],
    ];
    for (const call of calls) {
      const { exit, out, err } = await place.run(call);
      expect([exit, out]).toEqual([4, ""]);
      expect(err).toContain("is not decided on the file, two could win");
    }
  });
});

describe("redis goes away", () => {
  test("whoever holds a lock is told before its time is up; whoever waits for one goes on when redis is back", async () => {
    const server = await RedisServer.start({ appendonly: true });
    try {
      const place = auto(server.url);
      await using board = await openAuto(place, server.url);
      const ttlMs = 1200;
      const held = await board.locks.hold("x", { ttlMs });
      const waiting = board.locks.hold("x");
      await until("it in line", async () => (await board.locks.show("x"))?.waiting === 1);
      await server.kill();
      const killedAt = performance.now();
      await within("the loss", new Promise((resolve) => held.signal.addEventListener("abort", resolve)));
      expect(performance.now() - killedAt).toBeLessThan(ttlMs);
      expect(held.signal.reason).toMatchObject({ kind: "conflict" });
      await server.restart();
      const next = await within("the next", waiting);
      expect(next.fence).toBeGreaterThan(held.fence);
      expect(await next.release()).toBe("released");
      expect(await held.release()).toBe("lost");
      expect(existsSync(place.boardFile)).toBe(false);
    } finally {
      await server.stop();
    }
  });
});
