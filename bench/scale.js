// A million keys on redis: listing and deleting them, beside redis-cli, in one run. Every subject is a whole process.
//   npm run bench -- scale             KEYS: how many (half as many of other prefixes beside them); ROUNDS: of each listing
// The peers: `redis-cli KEYS` is one command that blocks the server until it has all; `redis-cli --scan` asks in steps of 10;
// for deleting, `--scan` into `xargs redis-cli unlink`, which logs nothing and tells nobody. timmy-bb's keys were written by timmy-bb, so
// each has its author and age noted, which are deleted with it.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openBlackboard } from "../dist/index.js";
import { median } from "./measure.js";
import { report } from "./report.js";
import { runLine } from "./scale/run-line.js";
import { childEnv, startRedis } from "./servers.js";

const KEYS = Number(process.env.KEYS ?? 1_000_000);
const ROUNDS = Number(process.env.ROUNDS ?? 2);
/** Sets under way at once while the board is filled. */
const AT_ONCE = 1000;
/** No command of ours shall hold the server up for longer. */
const LONG_MS = 5;

const SCAN = "`redis-cli --scan`";
const BLOCKING = "`redis-cli KEYS`";
/** Lines of a shell in which `redis-cli` and `timmy-bb` know where the server is. */
const LISTINGS = {
  [BLOCKING]: "redis-cli keys 'timmy:*'",
  [SCAN]: "redis-cli --scan --pattern 'timmy:*'",
  "`keys`": "timmy-bb keys",
  "`keys --unsorted`": "timmy-bb keys --unsorted",
  "`keys --limit 10`": "timmy-bb keys --limit 10",
  "`keys --long`": "timmy-bb keys --long",
};
/** Each of ours behind its peer. */
const DELETIONS = {
  "`redis-cli --scan`, `unlink`": "redis-cli --scan --pattern 'timmy:*' | xargs redis-cli unlink",
  "`clear`": "timmy-bb clear",
  "`redis-cli --scan`, `unlink` of `a*`": "redis-cli --scan --pattern 'timmy:a*' | xargs redis-cli unlink",
  "`clear 'a*'`": "timmy-bb clear 'a*'",
};
const OTHERS = [
  "status",
  "channels",
  "take 'none*'",
  "keys --by nobody",
  "clear --dry-run",
  "clear --older-than 1d",
];

const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
const settings = `${KEYS.toLocaleString("en-US")} keys of 10 bytes, half as many of other prefixes`;
const heldUp = { id: "heldUp", head: "another client's longest wait", unit: "ms", digits: 1 };
const wall = { id: "wall", head: "time", unit: "s" };
const peak = { id: "peak", head: "peak memory", unit: "MB", digits: 0 };
const slow = { id: "slow", head: `commands of over ${LONG_MS} ms`, digits: 0 };
let server = await start();
try {
  process.chdir(dir); // no config.yaml is found
  await fill();
  ask("save");
  await list();
  await provoke();
  await remove();
} finally {
  server.stop();
  process.chdir("/");
  rmSync(dir, { recursive: true, force: true });
}

async function list() {
  const runs = new Map(Object.keys(LISTINGS).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, line] of Object.entries(LISTINGS)) runs.get(name).push(await measure(line));
  }
  const rows = [...runs.keys()].map((name) => {
    const of = (id) => median(runs.get(name).map((run) => run[id]));
    const ratio = (to) => median(runs.get(name).map((run, round) => run.wall / runs.get(to)[round].wall));
    const [scan, blocking] = [1 / ratio(SCAN), ratio(BLOCKING)];
    return {
      name,
      wall: of("wall"),
      first: of("first"),
      peak: of("peak"),
      heldUp: of("heldUp"),
      slow: of("slow"),
      scan,
      blocking,
    };
  });
  report({
    name: "scale",
    title: "Listing many keys on redis, whole process",
    command: "npm run bench -- scale",
    settings: `${settings}; medians of ${ROUNDS} interleaved rounds`,
    columns: [
      ...[wall, { id: "first", head: "first output", unit: "ms", digits: 0 }, peak, heldUp, slow],
      { id: "scan", head: `${SCAN} ÷ this` },
      { id: "blocking", head: `this ÷ ${BLOCKING}` },
    ],
    rows,
    peers: ["redis-server"],
  });
}

/** Each from the same beginning; the peer just before, so that a drift of the machine's speed hits both. */
async function remove() {
  const rows = [];
  for (const [name, line] of Object.entries(DELETIONS)) {
    await restart();
    const before = serverSeconds();
    const run = { name, ...(await measure(line)) };
    run.server = serverSeconds() - before;
    if (line.startsWith("timmy-bb")) run.ratio = rows.at(-1).wall / run.wall;
    rows.push(run);
  }
  report({
    name: "scale-clear",
    title: "Deleting many keys on redis, whole process",
    command: "npm run bench -- scale",
    settings: `${settings}; each once, on a server started anew`,
    columns: [
      ...[wall, { id: "server", head: "server's processor", unit: "s" }, peak, heldUp, slow],
      { id: "ratio", head: "the one before ÷ this" },
    ],
    rows,
    notes: ["redis-cli logs nothing and tells nobody; of its pipe, the memory is the shell's."],
    peers: ["redis-server"],
  });
}

/** What other commands on so many keys hold the server up. */
async function provoke() {
  const rows = [];
  for (const words of OTHERS) {
    rows.push({ name: `\`${words}\``, ...(await measure(`timmy-bb ${words}`, [0, 1])) });
  }
  report({
    name: "scale-others",
    title: "Other commands among many keys on redis",
    command: "npm run bench -- scale",
    settings: `${settings}; each once`,
    columns: [wall, peak, heldUp, slow],
    rows,
    peers: ["redis-server"],
  });
}

/** A line of a shell, and what the server's slow log says of it. */
async function measure(line, mayExit) {
  ask("slowlog", "reset");
  const run = await runLine(line, server.port, mayExit);
  return { ...run, slow: Number(ask("slowlog", "len")) };
}

async function fill() {
  const url = `redis://127.0.0.1:${server.port}`;
  const board = await openBlackboard({ backend: "redis", url, agent: "bench" });
  for (let at = 0; at < KEYS; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, KEYS - at) }, (_, index) => at + index);
    await Promise.all(some.map((number) => board.set(nameOf(number), "0123456789", { ttlMs: null })));
  }
  await board.close();
  const foreign = `for i = ARGV[1], ARGV[1] + 999 do redis.call('SET', 'other:' .. i, 'x') end`;
  for (let at = 0; at < KEYS / 2; at += 1000) ask("eval", foreign, "0", String(at));
}

/** All letters begin as many; not in order. */
function nameOf(number) {
  const letter = String.fromCharCode(97 + (number % 26));
  return `${letter}:${String((number * 7919) % KEYS).padStart(7, "0")}:${number}`;
}

function ask(...words) {
  return spawnSync("redis-cli", ["-p", String(server.port), ...words], { env: childEnv, encoding: "utf8" })
    .stdout;
}

/** What the server's process has used of the processor. */
function serverSeconds() {
  const times = ask("info", "cpu").matchAll(/used_cpu_(?:user|sys):([\d.]+)/g);
  return [...times].reduce((sum, [, seconds]) => sum + Number(seconds), 0);
}

async function start() {
  const started = await startRedis(
    dir,
    "--notify-keyspace-events",
    "K$gxe",
    "--slowlog-log-slower-than",
    LONG_MS * 1000,
  );
  const port = String(started.port);
  while (spawnSync("redis-cli", ["-p", port, "ping"], { env: childEnv }).stdout.toString() !== "PONG\n")
    await sleep(50); // it loads
  return started;
}

/** With the keys as they were filled in. */
async function restart() {
  ask("shutdown", "nosave");
  server = await start();
}
