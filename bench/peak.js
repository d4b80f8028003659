// The most memory a process ever had resident. Only the system knows it, and tells it to the parent when the process is gone: so GNU
// time is the parent. It is small; of a large one what the child inherits at first would count.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, timeOnce } from "./measure.js";
import { isInstalled } from "./servers.js";

/** GNU time says KiB. */
const KIB_PER_MB = 1e6 / 1024;

export function hasPeaks() {
  return isInstalled("time", "apt-get install time (the bench goes on without peaks of memory)");
}

/** The same subject, which leaves its peak in a file. */
export function withPeak({ command, args, ...more }, file) {
  return { ...more, command: "time", args: ["--format", "%M", "--output", file, command, ...args] };
}

/** What such a subject has left, in megabytes. */
export function peakIn(file) {
  return Number(readFileSync(file, "latin1")) / KIB_PER_MB;
}

/** Megabytes by name, medians; none if nobody can tell. */
export async function peaksOf(subjects, rounds) {
  const peaks = new Map();
  if (!hasPeaks()) return peaks;
  const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
  const file = join(dir, "peak");
  try {
    for (const subject of subjects) {
      const found = [];
      for (let round = 0; round < rounds; round++) {
        await timeOnce(withPeak(subject, file));
        found.push(peakIn(file));
      }
      peaks.set(subject.name, median(found));
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
  return peaks;
}
