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
import { median, printTable, quantile, timeInTurn } from "./measure.js";
import { startRedis } from "./messages/servers.js";

const ROUNDS = Number(process.env.ROUNDS ?? 10);
const PARTS = { command, rate, clients, tools };
const HANDOVERS = 30;

const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
const redis = await startRedis(dir);
const places = { dir, redis: redis.port };
try {
  process.chdir(dir); // no config.yaml is found, as in a script's own directory
  console.log(`locks, node ${process.versions.node}, ${process.platform} ${process.arch}`);
  console.log(`files of memory and flock: ${fileSystem()} (TMPDIR moves them); redis saves nothing`);
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
  const node = { name: "node", command: process.execPath, args: [join(dir, "empty.js")] };
  const tools = Object.entries(toolsOf(places)).map(([name, { words, env }]) => {
    return { name, command: words[0], args: [...words.slice(1), "true"], env };
  });
  console.log(`\na whole command (true) under a lock that is free, ${2 * ROUNDS} rounds`);
  printTable(await timeInTurn([node, ...tools], 2 * ROUNDS), ["node", "flock", "redis-cli script"]);
}

async function rate() {
  const found = await rates(places, ROUNDS);
  const [file, bare] = found.keys();
  console.log(`\na lock that is free, got and given back, one after the other, ${ROUNDS} rounds`);
  console.log(["what".padEnd(28), "a second", `÷ ${bare}`, `÷ ${file}`].join("  "));
  for (const [name, some] of found) {
    const ratios = [bare, file].map((base) =>
      median(some.map((one, round) => one / found.get(base)[round]))
        .toFixed(2)
        .padStart(base.length + 2),
    );
    console.log([name.padEnd(28), median(some).toFixed(0).padStart(8), ...ratios].join("  "));
  }
}

async function clients() {
  const names = Object.keys(CLIENTS);
  const times = await clientHandovers(names, places, { rounds: ROUNDS, handovers: HANDOVERS });
  const title = `hand-over between node processes (bare redis: asks every ${POLL_MS} ms)`;
  printHandovers(`${title}, ${ROUNDS} × ${HANDOVERS}`, times, names[0]);
}

async function tools() {
  const rounds = Math.ceil(ROUNDS / 2);
  const times = await toolHandovers(toolsOf(places), places, rounds);
  const title =
    "hand-over between tools, the end of one command to the beginning of the next (the script: sleep 0.01)";
  printHandovers(`${title}, ${rounds} rounds`, times, "flock");
}

function printHandovers(title, times, base) {
  console.log(`\n${title}`);
  console.log(["what".padEnd(20), "   p50 ms", "   p99 ms", "   most ms", `p50 ÷ ${base}`].join("  "));
  const middle = (name) => times.get(name).map(median);
  for (const [name, rounds] of times) {
    const all = rounds.flat();
    const cells = [median(all), quantile(all, 0.99), Math.max(...all)].map((ms) => ms.toFixed(2).padStart(9));
    const ratio = median(middle(name).map((time, round) => time / middle(base)[round]));
    console.log([name.padEnd(20), ...cells, ratio.toFixed(2).padStart(8)].join("  "));
  }
}
