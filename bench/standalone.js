// One call of the standalone executable, whole process: `get`, `set` and `publish` on each store, beside an empty node script, the same
// of redis-cli, and `etcdctl get`, in one run. After `npm run build:standalone`.
//   npm run bench -- standalone        ROUNDS: how often
import { copyFileSync, existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { BASES, PEERS, withCalls } from "./calls.js";
import { columnsOf, rowsOf, timeInTurn } from "./measure.js";
import { report } from "./report.js";
import { floors } from "./standalone/floors.js";

const ROUNDS = Number(process.env.ROUNDS ?? 25);
const executable = resolve(process.env.TEST_PROGRAM ?? join(import.meta.dirname, "../dist/timmy-bb"));
if (!existsSync(executable)) throw new Error("dist/timmy-bb is missing: npm run build:standalone makes it");

await withCalls(async (peers, ours, dir) => {
  // As installing it does. What the system has read in by need it keeps in smaller pieces, which costs a call 1.5 ms; of a small program, nothing.
  const installed = join(dir, "timmy-bb");
  copyFileSync(executable, installed);
  const calls = ours([installed]);
  await timeInTurn(calls, 0); // makes the board
  report({
    name: "standalone",
    title: "One call, the standalone executable",
    command: "npm run bench -- standalone",
    settings: `medians of ${ROUNDS} interleaved rounds`,
    columns: columnsOf(BASES),
    rows: rowsOf(await timeInTurn([...peers, ...calls, ...floors(dir)], ROUNDS), BASES),
    peers: PEERS,
  });
});
