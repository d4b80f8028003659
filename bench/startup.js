// Where the time of one `get` goes, part by part, on each store; and what each package would cost that is loaded as it is installed.
//   npm run bench -- startup           ROUNDS: how often; PART=phases or PART=packages: one of the two
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { columnsOf, median, rowsOf, timeInTurn, timeOnce } from "./measure.js";
import { report } from "./report.js";
import { startRedis } from "./servers.js";
import { phasesOf } from "./startup/phases.js";

const ROUNDS = Number(process.env.ROUNDS ?? 25);
const { PART } = process.env;
const COLUMNS = {
  node: "node itself",
  load: "loading the program",
  prepare: "reading the call and the settings",
  open: "opening the store",
  command: "the command",
  exit: "the end",
  whole: "in all",
};
const PACKAGES = ["commander", "yaml", "chalk", "cli-table3", "ioredis", "@photostructure/sqlite"];

if (PART !== "packages") await phases();
if (PART !== "phases") await packages();

async function phases() {
  const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
  const redis = await startRedis(dir);
  try {
    process.chdir(dir); // no config.yaml is found, as in a script's own directory
    const subjects = [{ name: "empty `node` script", script: "empty.cjs", words: [] }];
    for (const store of ["memory", "redis"]) subjects.push(await getOn(store, dir, redis.port));
    reportPhases(await inTurn(subjects));
  } finally {
    redis.stop();
    process.chdir("/");
    rmSync(dir, { recursive: true, force: true });
  }
}

/** By the program as it is first: it keeps what V8 compiles, for the calls after it. */
async function getOn(store, dir, port) {
  const env = { TIMMY_BB_BACKEND: store, TIMMY_BB_DATA_DIR: dir, TIMMY_BB_URL: `redis://127.0.0.1:${port}` };
  const bin = join(import.meta.dirname, "../bin/timmy-bb.js");
  for (const words of [
    ["set", "k", "v"],
    ["get", "k"],
  ]) {
    await timeOnce({ command: process.execPath, args: [bin, ...words], env });
  }
  return { name: `\`get\`, ${store}`, script: "launcher.cjs", words: ["get", "k"], env };
}

/** Two rounds to warm up. */
async function inTurn(subjects) {
  const found = new Map(subjects.map(({ name }) => [name, []]));
  for (let round = -2; round < ROUNDS; round++) {
    for (const subject of subjects) {
      const phases = await phasesOf(subject);
      if (round >= 0) found.get(subject.name).push(phases);
    }
  }
  return found;
}

function reportPhases(found) {
  const rows = [...found].map(([name, rounds]) => {
    const parts = Object.keys(rounds[0]).map((part) => [part, median(rounds.map((phases) => phases[part]))]);
    return { name, ...Object.fromEntries(parts) };
  });
  report({
    name: "startup",
    title: "Where the time of one `get` goes",
    command: "PART=phases npm run bench -- startup",
    settings: `medians of ${ROUNDS} interleaved rounds`,
    columns: Object.entries(COLUMNS).map(([id, head]) => ({ id, head, unit: "ms", digits: 1 })),
    rows,
    peers: ["redis-server"],
  });
}

async function packages() {
  const node = { name: "nothing", command: process.execPath, args: ["--input-type=module", "-e", ""] };
  const load = (name) => ({
    name: `\`${name}\``,
    command: process.execPath,
    args: ["--input-type=module", "-e", `import ${JSON.stringify(import.meta.resolve(name))}`],
  });
  const bases = { node: { head: "÷ nothing", of: node.name } };
  report({
    name: "packages",
    title: "A process that only loads a package, as it is installed",
    command: "PART=packages npm run bench -- startup",
    settings: `medians of ${ROUNDS} interleaved rounds`,
    columns: columnsOf(bases),
    rows: rowsOf(await timeInTurn([node, ...PACKAGES.map(load)], ROUNDS), bases),
  });
}
