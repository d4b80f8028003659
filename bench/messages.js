// Messages between processes, beside the bare server, redis-cli and mosquitto, in one run: latency and throughput.
//   npm run bench -- messages          ROUNDS, MESSAGES: how much; PART=latency or PART=throughput: one of the two
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, spreadOf } from "./measure.js";
import { clientLatencies, toolLatencies } from "./messages/latency.js";
import { clientThroughput, toolThroughput } from "./messages/throughput.js";
import { toolsOf } from "./messages/tools.js";
import { report } from "./report.js";
import { isInstalled, startMosquitto, startRedis } from "./servers.js";

const ROUNDS = Number(process.env.ROUNDS ?? 2);
const MESSAGES = Number(process.env.MESSAGES ?? 100_000);
const PART = process.env.PART ?? "all";
const PEERS = ["redis-server", "mosquitto"];
/** Samples of a subject: 2,000 one after the other, 600 paced. */
const LATENCY = { rounds: 20, messages: 100, paced: false };
const PACED = { rounds: 20, messages: 30, paced: true };

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
  if (PART !== "throughput") await latency();
  if (PART !== "latency") await throughput();
} finally {
  for (const server of servers) server.stop();
  process.chdir("/");
  rmSync(dir, { recursive: true, force: true });
}

async function latency() {
  reportLatency(
    { name: "messages-clients", title: "Publish to receipt, node client to node client" },
    await clientLatencies(clients, places, LATENCY),
    await clientLatencies(clients, places, PACED),
    "bare redis",
  );
  const tools = toolsOf(places);
  reportLatency(
    { name: "messages-tools", title: "Line in to line out, tool to tool" },
    await toolLatencies(tools, places, LATENCY),
    await toolLatencies(tools, places, PACED),
    "redis-cli",
  );
}

function reportLatency(what, times, paced, base) {
  const rows = [...times.keys()].map((name) => {
    const { p50, p99, ratio } = spreadOf(paced, name, base);
    return { name, ...spreadOf(times, name, base), pacedP50: p50, pacedP99: p99, pacedRatio: ratio };
  });
  report({
    ...what,
    command: "PART=latency npm run bench -- messages",
    settings: `${LATENCY.rounds} interleaved rounds of ${LATENCY.messages} messages, each after the last came, and of ${PACED.messages}, one every 5 ms`,
    columns: [
      { id: "p50", head: "p50", unit: "ms" },
      { id: "p99", head: "p99", unit: "ms" },
      { id: "ratio", head: `p50 ÷ ${base}` },
      { id: "pacedP50", head: "one every 5 ms: p50", unit: "ms" },
      { id: "pacedP99", head: "p99", unit: "ms" },
      { id: "pacedRatio", head: "÷" },
    ],
    rows,
    peers: PEERS,
  });
}

async function throughput() {
  const tools = toolsOf(places);
  const ofTool = ([name, tool]) => [name, () => toolThroughput(tool, dir, MESSAGES)];
  const ofClient = (name) => [name, () => clientThroughput(name, places, MESSAGES)];
  reportThroughput(
    { name: "rate-clients", title: "Messages a second through one follower, node clients, 100 on their way" },
    await throughputs(clients.map(ofClient)),
    "bare redis",
  );
  reportThroughput(
    { name: "rate-tools", title: "Messages a second through one follower, tool to tool" },
    await throughputs(Object.entries(tools).map(ofTool)),
    "redis-cli",
  );
}

async function throughputs(subjects) {
  const found = new Map(subjects.map(([name]) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, measure] of subjects) found.get(name).push(await measure());
  }
  return found;
}

function reportThroughput(what, found, base) {
  const rate = (name) => median(found.get(name).map(({ seconds }) => MESSAGES / seconds));
  const sum = (numbers) => numbers.reduce((sum, number) => sum + number, 0);
  const rows = [...found].map(([name, rounds]) => {
    const lost = sum(rounds.map(({ count }) => MESSAGES - count));
    const unordered = sum(rounds.map((one) => one.unordered));
    return { name, rate: rate(name), ratio: rate(name) / rate(base), lost, unordered };
  });
  report({
    ...what,
    command: "PART=throughput npm run bench -- messages",
    settings: `${MESSAGES.toLocaleString("en-US")} messages of 100 bytes, ${ROUNDS} interleaved rounds`,
    columns: [
      { id: "rate", head: "messages a second", digits: 0 },
      { id: "ratio", head: `÷ ${base}` },
      { id: "lost", head: "lost", digits: 0 },
      { id: "unordered", head: "out of order", digits: 0 },
    ],
    rows,
    peers: PEERS,
  });
}
