// Messages between processes, beside the bare server, redis-cli and mosquitto, in one run: latency and throughput.
//   npm run bench -- messages          ROUNDS, MESSAGES: how much; PART=latency or PART=throughput: one of the two
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, quantile } from "./measure.js";
import { clientLatencies, toolLatencies } from "./messages/latency.js";
import { isInstalled, startMosquitto, startRedis } from "./messages/servers.js";
import { clientThroughput, toolThroughput } from "./messages/throughput.js";
import { toolsOf } from "./messages/tools.js";

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const MESSAGES = Number(process.env.MESSAGES ?? 200_000);
const PART = process.env.PART ?? "all";
/** Samples of a subject: 2,000 one after the other, 1,000 paced. */
const LATENCY = { rounds: 20, messages: 100, paced: false };
const PACED = { rounds: 20, messages: 50, paced: true };

const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
const hint = "apt-get install mosquitto mosquitto-clients (the bench goes on without)";
const servers = [await startRedis(dir)];
if (isInstalled("mosquitto", hint) && isInstalled("mosquitto_pub", hint))
  servers.push(await startMosquitto(dir));
const [redis, mosquitto] = servers.map(({ port }) => port);
const places = { dir, redis, mosquitto };
const bare = mosquitto === undefined ? ["bare redis"] : ["bare redis", "bare mosquitto"];
const clients = [...bare, "bare + our script", "timmy-bb memory", "timmy-bb redis"];

try {
  process.chdir(dir); // no config.yaml is found, as in a script's own directory
  console.log(
    `messages between processes, node ${process.versions.node}, ${process.platform} ${process.arch}`,
  );
  if (PART !== "throughput") await latency();
  if (PART !== "latency") await throughput();
} finally {
  for (const server of servers) server.stop();
  process.chdir("/");
  rmSync(dir, { recursive: true, force: true });
}

async function latency() {
  printLatency(
    "one node client to another, each message after the last came",
    await clientLatencies(clients, places, LATENCY),
    "bare redis",
  );
  printLatency(
    "the same, one message every 5 ms",
    await clientLatencies(clients, places, PACED),
    "bare redis",
  );
  const tools = toolsOf(places);
  printLatency(
    "one tool to another, each line after the last came",
    await toolLatencies(tools, places, LATENCY),
    "redis-cli",
  );
  printLatency("the same, one line every 5 ms", await toolLatencies(tools, places, PACED), "redis-cli");
}

function printLatency(title, times, base) {
  console.log(`\n${title}`);
  console.log(["what".padEnd(18), "   p50 ms", "   p99 ms", `p50 ÷ ${base}`].join("  "));
  const middle = (name) => times.get(name).map(median);
  for (const [name, rounds] of times) {
    const all = rounds.flat();
    const cells = [median(all), quantile(all, 0.99)].map((ns) => (ns / 1e6).toFixed(3).padStart(9));
    const ratio = median(middle(name).map((time, round) => time / middle(base)[round]));
    console.log([name.padEnd(18), ...cells, ratio.toFixed(2)].join("  "));
  }
}

async function throughput() {
  const tools = toolsOf(places);
  const ofTool = ([name, tool]) => [name, () => toolThroughput(tool, dir, MESSAGES)];
  const ofClient = (name) => [name, () => clientThroughput(name, places, MESSAGES)];
  await printThroughput(
    "100 in flight, from one node client to another",
    clients.map(ofClient),
    "bare redis",
  );
  await printThroughput("lines from one tool to another", Object.entries(tools).map(ofTool), "redis-cli");
}

async function printThroughput(title, subjects, base) {
  const results = new Map(subjects.map(([name]) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, measure] of subjects) results.get(name).push(await measure());
  }
  console.log(`\n${MESSAGES} messages of 100 bytes, ${title}, ${ROUNDS} rounds`);
  console.log(["what".padEnd(18), "messages/s", `÷ ${base}`, "lost", "out of order"].join("  "));
  const rate = (name) => median(results.get(name).map(({ seconds }) => MESSAGES / seconds));
  for (const [name, rounds] of results) {
    const lost = rounds.map(({ count }) => MESSAGES - count).join(" ");
    const unordered = rounds.map((one) => one.unordered).join(" ");
    const ratio = (rate(name) / rate(base)).toFixed(2).padStart(base.length + 2);
    console.log([name.padEnd(18), rate(name).toFixed(0).padStart(10), ratio, lost, unordered].join("  "));
  }
}
