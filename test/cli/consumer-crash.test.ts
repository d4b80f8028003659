/**
 * A follower with a consumer name under `kill -9`, started again each time: nothing lost, everything in its order, and
 * twice only what the killed one had printed and not acknowledged yet.
 */
import { describe, expect, test } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import type { Started } from "../helpers/processes.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { scaled } from "../helpers/scale.ts";
import { until, within } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

const COUNT = 10_000;
const KILLS = scaled(9, 40);
const BLOCK = Math.ceil(COUNT / (KILLS + 1));
/** Printed or on its way out, at most 100, and not acknowledged; and what a store was being told at that moment. */
const MOST_TWICE = 132;
/** Of a whole test: each round is a start of the command and an ack timeout. */
const DEADLINE_MS = scaled(60_000, 180_000);
const HISTORY = { TIMMY_BB_HISTORY_MESSAGES_PER_CHANNEL: String(2 * COUNT) };
/** Longer than a start of the command: what the killed one held is not to be had yet when its successor asks. */
const FOLLOW = ["subscribe", "c", "--consumer", "w", "--follow", "--ack-timeout", "600ms"];

let server: RedisServer;
withServer((started) => {
  server = started;
});

const STORES: ReadonlyArray<readonly [string, () => Workplace]> = [
  ["memory", () => Workplace.memory(HISTORY)],
  ["redis", () => Workplace.redis(server, HISTORY)],
];

describe.each(STORES)("on %s", (_name, makePlace) => {
  test(`${COUNT} messages, ${KILLS} kills`, { timeout: DEADLINE_MS }, async () => {
    const place = makePlace();
    const sender = place.start(["publish", "c", "--lines"], { input: "open", timeoutMs: DEADLINE_MS });
    const killed: Started[] = [];
    for (let round = 0; round < KILLS; round++) {
      sender.process.stdin?.write(block(round));
      killed.push(await killedAfter(place, Math.floor(BLOCK * (0.6 + 0.03 * (round % 8)))));
    }
    sender.process.stdin?.end(block(KILLS));
    const last = place.start(FOLLOW, { timeoutMs: DEADLINE_MS });
    await until("the last message", () => numbersOf(last).includes(COUNT), DEADLINE_MS / 2);
    last.process.kill("SIGTERM");
    expect((await last.ended).exitCode).toBe(143);
    expect((await sender.ended).exitCode).toBe(0);

    const twice = countTwice([...killed, last]);
    expect(twice.filter((count) => count > MOST_TWICE)).toEqual([]);
    expect(await place.ask("consumers", "show", "w")).toMatch(/^channel\tc\t\S+\t0\t0\n$/);
    const said = [...killed, last].map((child) => child.stderr()).join("");
    expect(said).toMatch(
      /^(timmy-bb: waiting for \d+ messages? that a lost worker holds, at most \d+ms\n)+$/,
    );
  });
});

/** The numbers from 1 on as lines, in as many blocks as there are processes. */
function block(at: number): string {
  const first = at * BLOCK + 1;
  const length = Math.max(0, Math.min(BLOCK, COUNT - first + 1));
  return Array.from({ length }, (_, n) => `${first + n}\n`).join("");
}

/** A follower that was killed, in the middle of its work, once it had printed so many lines. */
async function killedAfter(place: Workplace, lines: number): Promise<Started> {
  const child = place.start(FOLLOW, { timeoutMs: DEADLINE_MS });
  let left = lines;
  const printed = new Promise<void>((resolve) => {
    child.process.stdout?.on("data", (chunk: Buffer) => {
      left -= chunk.filter((byte) => byte === 10).length;
      if (left <= 0) resolve();
    });
  });
  await within(`${lines} lines`, Promise.race([printed, child.ended]), DEADLINE_MS / 2);
  child.process.kill("SIGKILL");
  expect((await child.ended).signal).toBe("SIGKILL");
  return child;
}

/** What it printed; a line that it did not come to the end of was never acknowledged. */
function numbersOf(child: Started): number[] {
  return child.stdout().toString().split("\n").slice(0, -1).map(Number);
}

/**
 * Goes through what the processes printed, one after the other, and checks that each number comes for the first time right
 * behind the one before it, and no process prints one twice. How many each printed that an earlier one had printed.
 */
function countTwice(children: readonly Started[]): number[] {
  let next = 1;
  return children.map((child) => {
    const numbers = numbersOf(child);
    expect(numbers).toEqual([...new Set(numbers)].sort((left, right) => left - right));
    const fresh = numbers.filter((number) => number >= next);
    expect(fresh).toEqual(fresh.map((_, at) => next + at));
    next += fresh.length;
    return numbers.length - fresh.length;
  });
}
