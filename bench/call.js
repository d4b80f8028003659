// One call, whole process, on Node: `get`, `set` and `publish` on each store, beside an empty node script, the same of redis-cli, and
// `etcdctl get`, in one run. And the most memory each takes.
//   npm run bench -- call              ROUNDS: how often
import { join } from "node:path";
import { BASES, NODE, PEERS, withCalls } from "./calls.js";
import { columnsOf, rowsOf, timeInTurn } from "./measure.js";
import { peaksOf } from "./peak.js";
import { report } from "./report.js";

const ROUNDS = Number(process.env.ROUNDS ?? 25);
const PEAK_ROUNDS = 5;
const bin = join(import.meta.dirname, "../bin/timmy-bb.js");

await withCalls(async (peers, ours) => {
  const subjects = [...peers, ...ours([process.execPath, bin])];
  const times = await timeInTurn(subjects, ROUNDS);
  const peaks = await peaksOf(subjects, PEAK_ROUNDS);
  const memory = (name) => ({ peak: peaks.get(name), peakNode: peaks.get(name) / peaks.get(NODE) });
  report({
    name: "call",
    title: "One call, whole process",
    command: "npm run bench -- call",
    settings: `medians of ${ROUNDS} interleaved rounds; of memory, of ${PEAK_ROUNDS}`,
    columns: [
      ...columnsOf(BASES),
      { id: "peak", head: "peak memory", unit: "MB", digits: 1 },
      { id: "peakNode", head: "memory ÷ empty `node`" },
    ],
    rows: rowsOf(times, BASES).map((row) => (peaks.size > 0 ? { ...row, ...memory(row.name) } : row)),
    peers: PEERS,
  });
});
