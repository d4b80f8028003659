// Changes of keys, from one process's set to another's watcher, beside the bare server's keyspace events and a GET; and what
// many watchers cost the one who sets.
//   npm run bench -- watch             ROUNDS, CHANGES: how much; PART=latency or PART=crowd: one of the two
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, quantile } from "./measure.js";
import { CLIENTS } from "./messages/clients.js";
import { clientLatencies } from "./messages/latency.js";
import { childEnv, startRedis } from "./messages/servers.js";

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
  console.log(`changes of keys, node ${process.versions.node}, ${process.platform} ${process.arch}`);
  if (PART !== "crowd") await latency();
  if (PART !== "latency") await crowds();
} finally {
  redis.stop();
  process.chdir("/");
  rmSync(dir, { recursive: true, force: true });
}

async function latency() {
  for (const paced of [false, true]) {
    const plan = { rounds: 20, messages: paced ? 50 : 100, paced };
    const times = await clientLatencies(SUBJECTS, places, plan);
    const middle = (name) => times.get(name).map(median);
    console.log(`\nset to event with its value, ${paced ? "one every 5 ms" : "each after the last came"}`);
    console.log(["what".padEnd(24), "   p50 ms", "   p99 ms", `p50 ÷ ${BARE}`].join("  "));
    for (const [name, rounds] of times) {
      const all = rounds.flat();
      const cells = [median(all), quantile(all, 0.99)].map((ns) => (ns / 1e6).toFixed(3).padStart(9));
      const ratio = median(middle(name).map((time, round) => time / middle(BARE)[round]));
      console.log([name.padEnd(24), ...cells, ratio.toFixed(2)].join("  "));
    }
  }
}

/** Each set is awaited, and that all watchers have it. */
async function crowds() {
  console.log(`\n${CHANGES} sets, one after the other, ${ROUNDS} rounds, all watchers in one process`);
  const heads = ["what".padEnd(24), "watchers", "set, ms", "until all have it, ms", "set ÷ without watchers"];
  console.log(heads.join("  "));
  for (const name of SUBJECTS) {
    const sets = new Map();
    for (const watchers of CROWDS) {
      const rounds = await crowd(name, watchers);
      sets.set(watchers, median(rounds.map(({ set }) => set)));
      const all = median(rounds.map((round) => round.all));
      const cells = [String(watchers).padStart(8), sets.get(watchers).toFixed(3).padStart(7)];
      const ratio = (sets.get(watchers) / sets.get(0)).toFixed(2).padStart(22);
      console.log([name.padEnd(24), ...cells, all.toFixed(3).padStart(21), ratio].join("  "));
    }
  }
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
