// On memory: what it costs a call that there are a million other keys, beside the same call on a board without them.
//   npm run bench -- among             KEYS, ROUNDS: how many, how often
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBlackboard } from "../dist/index.js";
import { median, timeInTurn } from "./measure.js";
import { report } from "./report.js";

const KEYS = Number(process.env.KEYS ?? 1_000_000);
const ROUNDS = Number(process.env.ROUNDS ?? 25);
/** Keys of the prefix that is asked for. */
const FEW = 10;
const AT_ONCE = 1000;
/** Reads of a round in a process that stays. */
const READS = 1000;

const bin = join(import.meta.dirname, "../bin/timmy-bb.js");
const CALLS = { get: ["get", "few:0"], keys: ["keys", "few:*"] };
const boards = { few: FEW, many: KEYS };
const dirs = Object.fromEntries(
  Object.keys(boards).map((name) => [name, mkdtempSync(join(tmpdir(), "timmy-bb-bench-"))]),
);
const opened = {};
try {
  process.chdir(dirs.few); // no config.yaml is found, as in a script's own directory
  for (const [name, keys] of Object.entries(boards)) opened[name] = await filled(name, keys);
  const reads = await readsInTurn();
  const calls = await callsInTurn();
  report({
    name: "among",
    title: "A call among many keys on memory",
    command: "npm run bench -- among",
    settings: `medians of ${ROUNDS} interleaved rounds`,
    columns: [
      { id: "few", head: `among ${FEW} keys`, unit: "ms", digits: 3 },
      { id: "many", head: `among ${KEYS.toLocaleString("en-US")}`, unit: "ms", digits: 3 },
      { id: "ratio", head: "÷" },
    ],
    rows: [
      row("`timmy-bb get`, whole process", "get", calls),
      row(`\`timmy-bb keys 'few:*'\`, ${FEW} keys, whole process`, "keys", calls),
      row("`board.get` in a process that stays", "read", reads),
    ],
  });
} finally {
  for (const board of Object.values(opened)) await board.close();
  process.chdir("/");
  for (const dir of Object.values(dirs)) rmSync(dir, { recursive: true, force: true });
}

async function filled(name, keys) {
  const board = await openBlackboard({ backend: "memory", dataDir: dirs[name], ttlSeconds: null });
  for (let at = 0; at < keys; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, keys - at) }, (_, more) => at + more);
    await Promise.all(some.map((number) => board.set(nameOf(number), "0123456789")));
  }
  return board;
}

function nameOf(number) {
  return number < FEW ? `few:${number}` : `other:${number}`;
}

async function readsInTurn() {
  const times = new Map(Object.keys(boards).map((name) => [`read ${name}`, []]));
  for (let round = -2; round < ROUNDS; round++) {
    for (const name of Object.keys(boards)) {
      const start = performance.now();
      for (let at = 0; at < READS; at++) await opened[name].get(`few:${at % FEW}`);
      if (round >= 0) times.get(`read ${name}`).push((performance.now() - start) / READS);
    }
  }
  return times;
}

function callsInTurn() {
  const subjects = Object.entries(CALLS).flatMap(([call, words]) =>
    Object.keys(boards).map((name) => {
      const env = { TIMMY_BB_BACKEND: "memory", TIMMY_BB_DATA_DIR: dirs[name] };
      return { name: `${call} ${name}`, command: process.execPath, args: [bin, ...words], env };
    }),
  );
  return timeInTurn(subjects, ROUNDS);
}

function row(name, what, times) {
  const [few, many] = ["few", "many"].map((board) => times.get(`${what} ${board}`));
  const ratio = median(many.map((time, round) => time / few[round]));
  return { name, few: median(few), many: median(many), ratio };
}
