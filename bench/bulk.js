// A million commands, or messages, from a file into a file: `batch` and `publish --lines` on each store, beside redis-cli and a plain
// socket that send plain SETs and PUBLISHes, of which nothing is logged and nothing answered in words.
//   npm run bench -- bulk              LINES, ROUNDS: how much; PART=sets or PART=messages: one of the two
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { INPUTS, writeInput } from "./bulk/inputs.js";
import { sendPlainly, sendThrough } from "./bulk/senders.js";
import { median } from "./measure.js";
import { openResp } from "./messages/raw.js";
import { report } from "./report.js";
import { startRedis } from "./servers.js";

const LINES = Number(process.env.LINES ?? 1_000_000);
const ROUNDS = Number(process.env.ROUNDS ?? 1);
const { PART } = process.env;
const bin = join(import.meta.dirname, "../bin/timmy-bb.js");
const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
const input = join(dir, "input");
const output = join(dir, "output");
const board = join(dir, "board");
const redis = await startRedis(dir);
const server = await openResp(redis.port, "");

const SETS = {
  "plain socket, pipelined `SET`": plain("set", "+OK\r\n"),
  "`redis-cli --pipe`, `SET`": piped("set"),
  "`batch`, JSON, memory": ours("json", "memory", "batch"),
  "`batch`, JSON, redis": ours("json", "redis", "batch"),
  "`batch`, shell words, memory": ours("shell", "memory", "batch"),
  "`batch`, shell words, redis": ours("shell", "redis", "batch"),
};
const MESSAGES = {
  "plain socket, pipelined `PUBLISH`": plain("publish", ":0\r\n"),
  "`redis-cli --pipe`, `PUBLISH`": piped("publish"),
  "`publish --lines`, memory": ours("lines", "memory", "publish", "c", "--lines"),
  "`publish --lines`, redis": ours("lines", "redis", "publish", "c", "--lines"),
};

try {
  process.chdir(dir); // no config.yaml is found, as in a script's own directory
  if (PART !== "messages") await measure("bulk-sets", "Many sets in one go", "sets", SETS);
  if (PART !== "sets") await measure("bulk-messages", "Many messages in one go", "messages", MESSAGES);
} finally {
  server.close();
  redis.stop();
  process.chdir("/");
  rmSync(dir, { recursive: true, force: true });
}

async function measure(name, title, what, subjects) {
  const found = new Map(Object.keys(subjects).map((subject) => [subject, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [subject, { kind, send }] of Object.entries(subjects)) {
      await prepare(kind);
      found.get(subject).push(await send());
    }
  }
  const base = found.get(Object.keys(subjects).find((subject) => subject.includes("--pipe")));
  report({
    name,
    title,
    command: `PART=${what} npm run bench -- bulk`,
    settings: `${LINES.toLocaleString("en-US")} of them with 100 bytes each, from a file into a file, the store empty before; ${ROUNDS === 1 ? "once" : `medians of ${ROUNDS} interleaved rounds`}`,
    columns: [
      { id: "rate", head: `${what} a second`, digits: 0 },
      { id: "ratio", head: "÷ `redis-cli --pipe`" },
      { id: "peak", head: "peak memory", unit: "MB", digits: 0 },
    ],
    rows: [...found].map(([subject, rounds]) => {
      const [rate, to] = [rounds, base].map((some) => median(some.map(({ seconds }) => LINES / seconds)));
      const peak = rounds[0].peak === undefined ? {} : { peak: median(rounds.map((round) => round.peak)) };
      return { name: subject, rate, ratio: rate / to, ...peak };
    }),
    peers: ["redis-server"],
  });
}

/** The input as a file, and nothing in either store. */
async function prepare(kind) {
  await server.ask("FLUSHALL", "SYNC");
  rmSync(board, { recursive: true, force: true });
  mkdirSync(board, { mode: 0o700 });
  await writeInput(input, INPUTS[kind], LINES);
}

function plain(kind, answer) {
  return { kind, send: () => sendPlainly(redis.port, input, LINES * answer.length) };
}

function piped(kind) {
  const args = ["-p", String(redis.port), "--pipe"];
  const isDone = (text) => text.includes(`errors: 0, replies: ${LINES}`);
  return { kind, send: () => sendThrough({ command: "redis-cli", args }, { input, output }, isDone) };
}

/** A line of output for each of input. */
function ours(kind, store, ...words) {
  const url = `redis://127.0.0.1:${redis.port}`;
  const env = { TIMMY_BB_BACKEND: store, TIMMY_BB_DATA_DIR: board, TIMMY_BB_URL: url };
  const subject = { command: process.execPath, args: [bin, ...words], env };
  const isDone = (text) => text.split("\n").length === LINES + 1;
  return { kind, send: () => sendThrough(subject, { input, output }, isDone) };
}
