// Locks, beside flock(1) and SET NX on the bare server, in one run: a whole command under a lock, getting one and giving it back in one
// process, and the hand-over from who holds to who waits.
//   npm run bench -- lock          ROUNDS: how much; PART=command, rate, clients or tools: one of them
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CLIENTS, POLL_MS } from "./lock/clients.js";
import { clientHandovers, toolHandovers } from "./lock/handover.js";
import { rates } from "./lock/rate.js";
import { toolsOf } from "./lock/tools.js";
import { columnsOf, median, rowsOf, spreadOf, timeInTurn } from "./measure.js";
import { report } from "./report.js";
import { startRedis } from "./servers.js";

const ROUNDS = Number(process.env.ROUNDS ?? 6);
const PARTS = { command, rate, clients, tools };
const HANDOVERS = 30;

const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
const redis = await startRedis(dir);
const places = { dir, redis: redis.port };
try {
  process.chdir(dir); // no config.yaml is found, as in a script's own directory
  const { PART } = process.env;
  for (const part of PART === undefined ? Object.values(PARTS) : [PARTS[PART]]) await part();
} finally {
  redis.stop();
  process.chdir("/");
  rmSync(dir, { recursive: true, force: true });
}

/** On one in memory nothing is synced to any disk. */
function fileSystem() {
  const { stdout } = spawnSync("df", ["--output=fstype", dir], { encoding: "utf8" });
  return stdout?.split("\n")[1] ?? "unknown";
}

async function command() {
  writeFileSync(join(dir, "empty.js"), "");
  const node = { name: "empty `node` script", command: process.execPath, args: [join(dir, "empty.js")] };
  const tools = Object.entries(toolsOf(places)).map(([name, { words, env }]) => {
    return { name, command: words[0], args: [...words.slice(1), "true"], env };
  });
  const bases = {
    node: { head: "÷ empty `node`", of: node.name },
    flock: { head: "÷ `flock`", of: "flock" },
    script: { head: "÷ `redis-cli` script", of: "redis-cli script" },
  };
  report({
    ...described("command"),
    title: "A whole command, `true`, under a lock that is free",
    settings: `medians of ${2 * ROUNDS} interleaved rounds`,
    columns: columnsOf(bases),
    rows: rowsOf(await timeInTurn([node, ...tools], 2 * ROUNDS), bases),
  });
}

async function rate() {
  const found = await rates(places, ROUNDS);
  const [file, bare] = found.keys();
  const rows = [...found].map(([name, some]) => {
    const ratioTo = (base) => median(some.map((one, round) => one / found.get(base)[round]));
    return { name, rate: median(some), bare: ratioTo(bare), file: ratioTo(file) };
  });
  report({
    ...described("rate"),
    title: "A lock that is free, got and given back, one after the other in one process",
    settings: `medians of ${ROUNDS} interleaved rounds`,
    columns: [
      { id: "rate", head: "a second", digits: 0 },
      { id: "bare", head: `÷ ${bare}` },
      { id: "file", head: `÷ ${file}` },
    ],
    rows,
  });
}

async function clients() {
  const names = Object.keys(CLIENTS);
  const times = await clientHandovers(names, places, { rounds: ROUNDS, handovers: HANDOVERS });
  reportHandovers("clients", times, names[0], {
    title: "Hand-over between node processes",
    settings: `${ROUNDS} interleaved rounds of ${HANDOVERS}; who waits for the bare \`SET NX\` asks every ${POLL_MS} ms`,
  });
}

async function tools() {
  const rounds = Math.ceil(ROUNDS / 2);
  const times = await toolHandovers(toolsOf(places), places, rounds);
  reportHandovers("tools", times, "flock", {
    title: "Hand-over between tools, the end of one command to the beginning of the next",
    settings: `${rounds} interleaved rounds of 8 commands; the script sleeps 0.01 s between two attempts`,
  });
}

function reportHandovers(part, times, base, about) {
  report({
    ...described(part),
    ...about,
    columns: [
      { id: "p50", head: "p50", unit: "ms" },
      { id: "p99", head: "p99", unit: "ms", digits: 1 },
      { id: "ratio", head: `p50 ÷ ${base}` },
    ],
    rows: [...times.keys()].map((name) => ({ name, ...spreadOf(times, name, base) })),
  });
}

function described(part) {
  const command = `PART=${part} npm run bench -- lock`;
  const notes = [
    `The files of memory and flock are on ${fileSystem()} (TMPDIR moves them); redis saves nothing.`,
  ];
  return { name: `lock-${part}`, command, notes, peers: ["redis-server", "flock"] };
}
