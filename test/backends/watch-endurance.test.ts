/**
 * The show of watching: writers and watchers in processes of their own, killed at random, and on redis their connections, too.
 * Each watcher gets every change once, in the order of the log, and the last value it saw of a key is the one that is stored.
 */
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { Blackboard } from "../../src/index.ts";
import { ROOT } from "../helpers/cli.ts";
import { withServer } from "../helpers/file-server.ts";
import { LIBRARY } from "../helpers/library.ts";
import { killProcesses, type Started, start } from "../helpers/processes.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { scaled } from "../helpers/scale.ts";
import { until } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

const WRITERS = 5;
const EACH = scaled(400, 20_000);
const KEYS = 100;
/** All of it, in different words. */
const WATCHED = [["*"], ["key:*", "end"], ["key:?", "key:??", "key:1*", "e?d"]];
/** Times that a writer or a watcher is killed. */
const KILLS = scaled(2, 6);
const DEADLINE_MS = scaled(60_000, 600_000);
const PROGRAM = `${ROOT}test/helpers/change-program.js`;

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
  "on %s: every change once and in order, and what was seen last is what is stored",
  async (_store, makePlace, trouble) => {
    const place = makePlace();
    const config = place.path("config.yaml"); // which the programs find
    writeFileSync(config, `blackboard:\n  history:\n    changes: ${2 * WRITERS * EACH}\n`);
    await using board = await place.openBoard({ config });
    const begin = await set(board, "begin");
    const watching = WATCHED.map((patterns) => watchThrough(place, begin, patterns));
    const writing = Array.from({ length: WRITERS }, (_, writer) => writeThrough(place, writer));
    for (const one of [...watching, ...writing]) one.catch(() => {}); // each is looked at in its turn
    const answered = (await during(trouble, Promise.all(writing))).flat();
    await set(board, "end");
    const log = await logSince(board, begin);
    expect(numbersIn(answered)).toBe(WRITERS * EACH);
    const logged = new Set(log.map((line) => line.replace(" set ", " ")));
    expect(answered.filter((line) => !logged.has(line))).toEqual([]);
    for (const seen of await Promise.all(watching)) expectSame(seen, log);
    expectOrdered(log);
    await expectLastStored(board, log);
  },
  DEADLINE_MS,
);

/** One life of a writer after the other, all but the last one killed somewhere. The lines of what was answered. */
async function writeThrough(place: Workplace, writer: number): Promise<string[]> {
  const answered: string[] = [];
  for (let life = 0, from = 0; from < EACH; life++) {
    const child = run(place, ["write", `${writer}.${life}`, `${from}`, `${EACH}`, `${KEYS}`]);
    const lines = await livedThrough(child, life < KILLS ? EACH / (KILLS + 1) : null);
    answered.push(...lines);
    from = Number(lines.at(-1)?.split(".").at(-1) ?? from - 1) + 1;
  }
  return answered;
}

/** One life of a watcher after the other, each going on behind what the one before said. All of their lines. */
async function watchThrough(place: Workplace, begin: string, patterns: readonly string[]): Promise<string[]> {
  const seen: string[] = [];
  for (let life = 0; !seen.at(-1)?.includes(" set end "); life++) {
    const since = seen.at(-1)?.split(" ")[0] ?? begin;
    const child = run(place, ["watch", since, "end", ...patterns]);
    seen.push(...(await livedThrough(child, life < KILLS ? (WRITERS * EACH) / (KILLS + 1) : null)));
  }
  return seen;
}

function run(place: Workplace, args: readonly string[]): Started {
  const env = { ...place.shellEnv(), TIMMY_BB_TIMEOUT: "20s" };
  return start(process.execPath, [PROGRAM, LIBRARY, ...args], {
    env,
    cwd: place.dir,
    timeoutMs: DEADLINE_MS,
  });
}

/** The whole lines of a child that is killed when it has said about so many; `null`: that ends by itself, and well. */
async function livedThrough(child: Started, most: number | null): Promise<string[]> {
  let isOver = false;
  const ended = child.ended.finally(() => {
    isOver = true;
  });
  if (most !== null) {
    await until("a child to have said enough", () => isOver || linesOf(child).length > most, DEADLINE_MS);
    await pause(Math.random() * 20); // anywhere
    child.process.kill("SIGKILL");
  }
  const { exitCode, stderr } = await ended;
  if (most === null || exitCode !== null) expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return linesOf(child);
}

/** A line that was cut off was not said. */
function linesOf(child: Started): string[] {
  return child.stdout().toString().split("\n").slice(0, -1);
}

/** Trouble again and again until the work is done. */
async function during<Result>(trouble: () => Promise<void>, work: Promise<Result>): Promise<Result> {
  let isOver = false;
  const done = work.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await Promise.race([pause(100 + Math.random() * 100), done]);
    if (!isOver) await trouble();
  }
  return done;
}

async function killConnections(): Promise<void> {
  await server.cli("client", "kill", "type", "pubsub");
  await server.cli("client", "kill", "type", "normal");
}

/** Its id. The test's own connection may be broken, too. */
async function set(board: Blackboard, key: string): Promise<string> {
  const { written, ...rest } = await until(`${key} to be set`, () => board.set(key, "").catch(() => null));
  return written && "id" in rest ? rest.id : expect.unreachable("it was refused");
}

/** What a new watcher reads of it, in the words of the program. */
async function logSince(board: Blackboard, since: string): Promise<string[]> {
  const lines: string[] = [];
  const onGap = () => expect.unreachable("all is kept");
  for await (const { id, event, key, value } of board.watch("*", { since, live: false, onGap })) {
    lines.push(`${id} ${event} ${key} ${value}`);
  }
  return lines;
}

/** How many different writes: a writer's name is `WRITER.LIFE`, and no life repeats what one before was answered. */
function numbersIn(answered: readonly string[]): number {
  return new Set(answered.map((line) => line.replace(/.* (\d+)\.\d+\.(\d+)$/, "$1.$2"))).size;
}

/** The same lines; of long lists only where they part. */
function expectSame(seen: readonly string[], log: readonly string[]): void {
  const at = log.findIndex((line, index) => line !== seen[index]);
  if (at !== -1)
    expect(seen.slice(Math.max(at - 3, 0), at + 3)).toEqual(log.slice(Math.max(at - 3, 0), at + 3));
  expect(seen).toHaveLength(log.length);
}

/** Ids grow; each life of a writer counts up. A write whose answer was lost may stand there twice. */
function expectOrdered(log: readonly string[]): void {
  const last = new Map<string, number>();
  let newest: readonly number[] = [0, 0];
  for (const line of log) {
    const [id = "", , , value = ""] = line.split(" ");
    const number = id.split("-").map(Number);
    const isLater = (number[0] ?? 0) - (newest[0] ?? 0) || (number[1] ?? 0) - (newest[1] ?? 0);
    expect(isLater, line).toBeGreaterThan(0);
    newest = number;
    const [, name = "", n] = /^(.*)\.(\d+)$/.exec(value) ?? [];
    if (n === undefined) continue;
    expect(Number(n), line).toBeGreaterThanOrEqual(last.get(name) ?? 0);
    last.set(name, Number(n));
  }
}

async function expectLastStored(board: Blackboard, log: readonly string[]): Promise<void> {
  const last = new Map(log.map((line) => line.split(" ")).map(([, , key = "", value = ""]) => [key, value]));
  expect(last.size).toBe(KEYS + 1);
  for (const [key, value] of last) expect(await board.getText(key), key).toBe(value);
}
