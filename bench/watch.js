// Changes of keys, from one process's set to another's watcher, beside the bare server's keyspace events and a GET; and what
// many watchers cost the one who sets.
//   npm run bench -- watch             ROUNDS, CHANGES: how much; PART=latency or PART=crowd: one of the two
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, spreadOf } from "./measure.js";
import { CLIENTS } from "./messages/clients.js";
import { clientLatencies } from "./messages/latency.js";
import { report } from "./report.js";
import { childEnv, startRedis } from "./servers.js";

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const CHANGES = Number(process.env.CHANGES ?? 300);
const PART = process.env.PART ?? "all";
const BARE = "bare redis, event + GET";
const SUBJECTS = [BARE, "watch on memory", "watch on redis"];
const CROWDS = [0, 1, 100];

const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
const redis = await startRedis(dir, "--notify-keyspace-events", "K$gx");
const places = { dir, redis: redis.port };
try {
  process.chdir(dir); // no config.yaml is found, as in a script's own directory
  if (PART !== "crowd") await latency();
  if (PART !== "latency") await crowds();
} finally {
  redis.stop();
  process.chdir("/");
  rmSync(dir, { recursive: true, force: true });
}

async function latency() {
  const plan = { rounds: 20, messages: 100, paced: false };
  const times = await clientLatencies(SUBJECTS, places, plan);
  const paced = await clientLatencies(SUBJECTS, places, { ...plan, messages: 50, paced: true });
  const rows = SUBJECTS.map((name) => {
    const { p50, p99, ratio } = spreadOf(paced, name, BARE);
    return { name, ...spreadOf(times, name, BARE), pacedP50: p50, pacedP99: p99, pacedRatio: ratio };
  });
  report({
    name: "watch",
    title: "From `set` to the change with its value in another process",
    command: "PART=latency npm run bench -- watch",
    settings: "20 interleaved rounds of 100 changes, each after the last came, and of 50, one every 5 ms",
    columns: [
      { id: "p50", head: "p50", unit: "ms" },
      { id: "p99", head: "p99", unit: "ms" },
      { id: "ratio", head: "p50 ÷ bare" },
      { id: "pacedP50", head: "one every 5 ms: p50", unit: "ms" },
      { id: "pacedP99", head: "p99", unit: "ms" },
      { id: "pacedRatio", head: "÷" },
    ],
    rows,
    peers: ["redis-server"],
  });
}

/** Each set is awaited, and that all watchers have it. */
async function crowds() {
  const rows = [];
  for (const name of SUBJECTS) {
    const row = { name };
    for (const watchers of CROWDS) {
      const rounds = await crowd(name, watchers);
      row[`set${watchers}`] = median(rounds.map(({ set }) => set));
      row.all = median(rounds.map(({ all }) => all));
    }
    rows.push(row);
  }
  report({
    name: "crowd",
    title: "What watchers cost the one who sets",
    command: "PART=crowd npm run bench -- watch",
    settings: `${CHANGES} sets one after the other, ${ROUNDS} rounds, all watchers in one process, medians`,
    columns: [
      { id: "set0", head: "one `set`, without watchers", unit: "ms" },
      { id: "set1", head: "with 1", unit: "ms" },
      { id: "set100", head: "with 100", unit: "ms" },
      { id: "all", head: "until all 100 have it", unit: "ms" },
    ],
    rows,
    peers: ["redis-server"],
  });
}

/** Medians of each round. */
async function crowd(name, watchers) {
  const args = [name, JSON.stringify(places), String(watchers)];
  const child = fork(join(import.meta.dirname, "watch/crowd.js"), args, { env: childEnv, cwd: dir });
  await once(child, "message");
  const client = await CLIENTS[name](places);
  const rounds = [];
  for (let round = -1; round < ROUNDS; round++) {
    const [set, all] = [[], []];
    for (let at = 0; at < CHANGES; at++) {
      const start = performance.now();
      const seen = watchers > 0 ? once(child, "message") : null;
      await client.publish(`${round}-${at}`);
      set.push(performance.now() - start);
      await seen;
      all.push(performance.now() - start);
    }
    if (round >= 0) rounds.push({ set: median(set), all: median(all) });
  }
  child.kill();
  await client.close();
  return rounds;
}
