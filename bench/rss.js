// Resident memory of one follower, the command, over many messages: sampled from /proc at ten points, on each store.
//   npm run bench -- rss               MESSAGES: how many
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { feed } from "./messages/throughput.js";
import { toolsOf } from "./messages/tools.js";
import { report } from "./report.js";
import { childEnv, startRedis } from "./servers.js";

const MESSAGES = Number(process.env.MESSAGES ?? 1_000_000);
const POINTS = 10;
/** Nothing more comes after this long without anything. */
const SILENCE_MS = 10_000;
/** Of a line of the output: 100 bytes and the line break. */
const LINE_BYTES = 101;

const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
const redis = await startRedis(dir);
try {
  const tools = toolsOf({ redis: redis.port, dir });
  const rows = [];
  for (const store of ["memory", "redis"]) rows.push(rowOf(store, await follow(tools[`timmy-bb ${store}`])));
  report({
    name: "rss",
    title: "Resident memory of one `subscribe --follow`",
    command: "npm run bench -- rss",
    settings: `over ${MESSAGES.toLocaleString("en-US")} messages of 100 bytes, ${POINTS} samples`,
    columns: [
      { id: "first", head: "mean of the first third", unit: "MB", digits: 0 },
      { id: "last", head: "of the last third", unit: "MB", digits: 0 },
      { id: "ratio", head: "last ÷ first" },
      { id: "lost", head: "lost", digits: 0 },
    ],
    rows,
    peers: ["redis-server"],
  });
} finally {
  redis.stop();
  rmSync(dir, { recursive: true, force: true });
}

/** The sizes at each tenth, and how many messages came; fewer if messages were lost. */
async function follow(tool) {
  const options = { cwd: dir, env: { ...childEnv, ...tool.env } };
  const receiver = start(tool.receive, { ...options, stdio: ["ignore", "pipe", "inherit"] });
  const sender = start(tool.send, { ...options, stdio: ["pipe", "ignore", "inherit"] });
  const seen = counting(receiver);
  while (seen.bytes === 0) {
    sender.stdin.write(tool.line("warm"));
    await sleep(100);
  }
  await sleep(500);
  seen.bytes = 0;
  await Promise.race([feed(sender.stdin, tool.line, MESSAGES), once(sender, "close")]);
  await untilSilent(seen);
  for (const child of [sender, receiver]) child.kill();
  return { sizes: seen.sizes, count: Math.floor(seen.bytes / LINE_BYTES) };
}

function start([command, ...args], options) {
  return spawn(command, args, options);
}

function counting(receiver) {
  const seen = { bytes: 0, sizes: [] };
  receiver.stdout.on("data", (chunk) => {
    seen.bytes += chunk.length;
    const due = Math.floor((seen.bytes / LINE_BYTES / MESSAGES) * POINTS);
    while (seen.sizes.length < due) seen.sizes.push(residentMegabytes(receiver.pid));
  });
  return seen;
}

function residentMegabytes(pid) {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Number(kilobytes) / 976.5625; // KiB
}

async function untilSilent(seen) {
  let before = -1;
  while (seen.bytes < MESSAGES * LINE_BYTES && seen.bytes !== before) {
    before = seen.bytes;
    await sleep(SILENCE_MS);
  }
}

function rowOf(name, { sizes, count }) {
  const third = Math.floor(sizes.length / 3);
  const [first, last] = [sizes.slice(0, third), sizes.slice(-third)].map(mean);
  return { name, first, last, ratio: last / first, lost: MESSAGES - count };
}

function mean(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
