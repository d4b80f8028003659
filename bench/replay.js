// Reading what was sent on very many channels, as one: beside a plain socket that asks for each log and sorts nothing.
//   npm run bench -- replay            CHANNELS, EACH, ROUNDS: how much
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBlackboard } from "../dist/index.js";
import { median, ratio } from "./measure.js";
import { openResp } from "./messages/raw.js";
import { report } from "./report.js";
import { startRedis } from "./servers.js";

const CHANNELS = Number(process.env.CHANNELS ?? 5000);
const EACH = Number(process.env.EACH ?? 3);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const AT_ONCE = 200;

const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
const redis = await startRedis(dir);
const boards = {
  memory: await openBlackboard({ backend: "memory", dataDir: dir, agent: "bench" }),
  redis: await openBlackboard({ backend: "redis", url: `redis://127.0.0.1:${redis.port}`, agent: "bench" }),
};
const socket = await openResp(redis.port, "");
const PLAIN = "bare redis, XRANGE of each log";
try {
  for (const board of Object.values(boards)) await fill(board);
  const times = new Map([[PLAIN, []], ...Object.keys(boards).map((store) => [store, []])]);
  for (let round = -1; round < ROUNDS; round++) {
    for (const name of times.keys()) {
      const start = performance.now();
      await (name === PLAIN ? readPlainly() : replay(boards[name]));
      if (round >= 0) times.get(name).push(performance.now() - start);
    }
  }
  reportAll(times);
} finally {
  for (const board of Object.values(boards)) await board.close();
  socket.close();
  redis.stop();
  rmSync(dir, { recursive: true, force: true });
}

/** Message after message, each of another channel. */
async function fill(board) {
  for (let at = 0; at < CHANNELS * EACH; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, CHANNELS * EACH - at) }, (_, more) => at + more);
    await Promise.all(some.map((number) => board.publish(`c${number % CHANNELS}`, "m".repeat(100))));
  }
}

async function replay(board) {
  let count = 0;
  for await (const _ of board.subscribe("*", { last: CHANNELS * EACH, live: false })) count++;
  if (count !== CHANNELS * EACH) throw new Error(`${count} of ${CHANNELS * EACH} messages came`);
}

async function readPlainly() {
  for (let at = 0; at < CHANNELS; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, CHANNELS - at) }, (_, more) => at + more);
    const logs = some.map((number) => `timmy-bb:{timmy}:channel:timmy:c${number}`);
    await Promise.all(logs.map((log) => socket.ask("XRANGE", log, "-", "+")));
  }
}

function reportAll(times) {
  const count = (number) => number.toLocaleString("en-US");
  report({
    name: "replay",
    title: "What was sent on very many channels, read as one and in order",
    command: "npm run bench -- replay",
    settings: `${count(CHANNELS)} channels with ${EACH} messages of 100 bytes each, ${ROUNDS} interleaved rounds`,
    columns: [
      { id: "rate", head: "messages a second", digits: 0 },
      { id: "ratio", head: "time ÷ bare" },
    ],
    rows: [...times].map(([name, rounds]) => {
      return { name, rate: ((CHANNELS * EACH) / median(rounds)) * 1000, ratio: ratio(times, name, PLAIN) };
    }),
    peers: ["redis-server"],
  });
}
