/**
 * What several processes do to few keys at once is as if they had done one thing after the other: reading, writing, conditions, counting,
 * taking, fences. Processes are killed in the middle, and on redis connections, too.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { Deed, Outcome } from "../helpers/board-model.ts";
import { ROOT } from "../helpers/cli.ts";
import { withServer } from "../helpers/file-server.ts";
import { describeHistory, type HistoryEvent, linearize } from "../helpers/history-checker.ts";
import { LIBRARY } from "../helpers/library.ts";
import { killProcesses, type Started, start } from "../helpers/processes.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { scaled } from "../helpers/scale.ts";
import { until } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

/** Each on a board of its own, with processes of its own: 3,000 deeds, in the soak over 100,000. */
const SITTINGS = scaled(1, 36);
const PROGRAMS = 4;
/** A program does so much at once; a file does one thing after the other. */
const CLIENTS = 2;
const EACH = 380;
/** So many of the programs are killed in the middle. */
const KILLED = 2;
const DEEDS = PROGRAMS * CLIENTS * EACH;
const PROGRAM = `${ROOT}test/helpers/history-program.js`;

let server: RedisServer;
withServer((started) => {
  server = started;
});
afterEach(killProcesses);

const STORES = [
  ["memory", () => Workplace.memory(), async () => {}],
  ["redis", () => Workplace.redis(server), killConnections],
] as const;

test.each(STORES)(
  `on %s: ${SITTINGS * DEEDS} deeds of ${PROGRAMS * CLIENTS} clients at once`,
  async (store, makePlace, trouble) => {
    const sum = { deeds: 0, objects: 0, concurrent: 0, unanswered: 0 };
    for (let sitting = 0; sitting < SITTINGS; sitting++) {
      const history = await sit(makePlace(), trouble);
      expect(history.size).toBeGreaterThan(20);
      for (const [object, events] of history) {
        expect(linearize(events), `${object}\n${describeHistory(events)}`).not.toBeNull();
        sum.deeds += events.length;
        sum.objects += 1;
        sum.concurrent += events.filter((event) => isConcurrent(event, events)).length;
        sum.unanswered += events.filter(({ outcome }) => outcome === undefined).length;
      }
    }
    if (process.env.SOAK) console.info(store, sum);
    expect(sum.deeds).toBeGreaterThan(0.8 * SITTINGS * DEEDS); // some failed, or were never begun
    expect(sum.concurrent, "deeds with others at the same time").toBeGreaterThan(sum.deeds / 10);
  },
);

/** All programs on one board. What happened, by what it happened to. */
async function sit(
  place: Workplace,
  trouble: () => Promise<void>,
): Promise<ReadonlyMap<string, readonly HistoryEvent[]>> {
  const first = Array.from({ length: PROGRAMS }, (_, number) => run(place, number, EACH));
  await Promise.all(first.map((child) => until("a program to be ready", () => linesOf(child).length > 0)));
  for (const child of first) begin(child);
  const lives = first.map((child, number) =>
    number < KILLED ? twoLives(place, child, number) : lived(child),
  );
  const lines = await during(trouble, Promise.all(lives));
  return historyIn(lines.flat(2));
}

/** It is killed somewhere in the middle, and another goes on. */
async function twoLives(place: Workplace, child: Started, number: number): Promise<string[]> {
  const enough = (0.4 + 0.4 * Math.random()) * CLIENTS * EACH * 2; // lines
  await until("a program to have done something", () => linesOf(child).length > enough);
  child.process.kill("SIGKILL");
  expect(await child.ended).toMatchObject({ signal: "SIGKILL", stderr: "" });
  const left = EACH - Math.floor(linesOf(child).length / CLIENTS / 2);
  const next = run(place, number + PROGRAMS, left);
  begin(next);
  return [...linesOf(child), ...(await lived(next))];
}

function run(place: Workplace, number: number, each: number): Started {
  const args = [PROGRAM, LIBRARY, String(number), String(CLIENTS), String(each)];
  return start(process.execPath, args, { env: place.shellEnv(), cwd: place.dir, input: "open" });
}

function begin(child: Started): void {
  child.process.stdin?.end();
}

async function lived(child: Started): Promise<string[]> {
  const { exitCode, stderr } = await child.ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return linesOf(child);
}

/** A line that was cut off was not said. */
function linesOf(child: Started): string[] {
  return child.stdout().toString().split("\n").slice(0, -1);
}

interface Line {
  readonly id?: string;
  readonly at?: number;
  readonly object?: string;
  readonly deed?: Deed;
  readonly outcome?: Outcome;
  readonly failed?: true;
}

function historyIn(lines: readonly string[]): Map<string, HistoryEvent[]> {
  const told = lines.map((line): Line => JSON.parse(line));
  const answers = new Map(told.filter(({ deed }) => deed === undefined).map((line) => [line.id, line]));
  const history = new Map<string, HistoryEvent[]>();
  for (const { id, at, object, deed } of told) {
    if (id === undefined || at === undefined || object === undefined || deed === undefined) continue;
    const answer = answers.get(id);
    if (answer?.failed) continue; // it was not done
    const known = answer?.outcome === undefined ? {} : { outcome: answer.outcome };
    const answeredAt = answer?.at ?? Number.POSITIVE_INFINITY;
    history.set(object, [
      ...(history.get(object) ?? []),
      { by: id, calledAt: at, answeredAt, deed, ...known },
    ]);
  }
  return history;
}

function isConcurrent(one: HistoryEvent, events: readonly HistoryEvent[]): boolean {
  return events.some(
    (other) => other !== one && other.calledAt <= one.answeredAt && one.calledAt <= other.answeredAt,
  );
}

/** Trouble again and again until the work is done. */
async function during<Result>(trouble: () => Promise<void>, work: Promise<Result>): Promise<Result> {
  let isOver = false;
  const done = work.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await Promise.race([pause(50 + Math.random() * 100), done]);
    if (!isOver) await trouble();
  }
  return done;
}

async function killConnections(): Promise<void> {
  await server.cli("client", "kill", "type", "normal");
}
