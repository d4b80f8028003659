// A worker of a consumer: messages a second, each acknowledged, on each store, beside a plain follower of the log.
//   npm run bench -- work              MESSAGES: how many; ROUNDS: how often
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBlackboard } from "../dist/index.js";
import { median } from "./measure.js";
import { report } from "./report.js";
import { startRedis } from "./servers.js";

const MESSAGES = Number(process.env.MESSAGES ?? 10_000);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const IN_FLIGHT = 100;

const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
const redis = await startRedis(dir);
const config = join(dir, "config.yaml");
writeFileSync(config, `blackboard: { history: { messages_per_channel: ${MESSAGES} } }\n`);
const stores = {
  memory: await openBlackboard({ config, backend: "memory", dataDir: dir }),
  redis: await openBlackboard({ config, backend: "redis", url: `redis://127.0.0.1:${redis.port}` }),
};

try {
  for (const board of Object.values(stores)) await fill(board);
  const rates = new Map();
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, drain] of subjects(round)) {
      const rate = await timed(drain);
      if (round >= 0) rates.set(name, [...(rates.get(name) ?? []), rate]);
    }
  }
  report({
    name: "work",
    title: "What waits in the log, read and acknowledged message by message",
    command: "npm run bench -- work",
    settings: `${MESSAGES.toLocaleString("en-US")} messages of 100 bytes, ${ROUNDS} interleaved rounds`,
    columns: [
      { id: "rate", head: "messages a second", digits: 0 },
      { id: "ratio", head: "÷ replay" },
    ],
    rows: [...rates].map(([name, some]) => {
      const [store] = name.split(":");
      const replayed = rates.get(`${store}: replay, no consumer`);
      return { name, rate: median(some), ratio: median(some.map((one, round) => one / replayed[round])) };
    }),
    peers: ["redis-server"],
  });
} finally {
  for (const board of Object.values(stores)) await board.close();
  redis.stop();
  rmSync(dir, { recursive: true, force: true });
}

async function fill(board) {
  const text = "x".repeat(100);
  for (let at = 0; at < MESSAGES; at += IN_FLIGHT) {
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => board.publish("work", text)));
  }
}

function subjects(round) {
  return Object.entries(stores).flatMap(([store, board]) => [
    [`${store}: replay, no consumer`, () => replay(board)],
    [`${store}: worker, one taken at a time`, () => work(board, `one${round}`, 1)],
    [`${store}: worker, 100 taken at a time`, () => work(board, `hundred${round}`, 100)],
  ]);
}

async function replay(board) {
  let count = 0;
  for await (const _ of board.subscribe("work", { last: MESSAGES, live: false })) count++;
  return count;
}

async function work(board, consumer, prefetch) {
  const worker = await board.consume("work", { consumer, prefetch });
  let count = 0;
  for await (const delivery of worker) {
    await worker.ack(delivery);
    if (++count === MESSAGES) break;
  }
  await board.deleteConsumer(consumer);
  return count;
}

async function timed(drain) {
  const start = performance.now();
  const count = await drain();
  if (count !== MESSAGES) throw new Error(`${MESSAGES - count} of ${MESSAGES} messages did not come`);
  return count / ((performance.now() - start) / 1000);
}
