// Paired timing of whole processes: A B C A B C …, so that a drift of the machine's speed hits all alike.
import { spawn } from "node:child_process";

/**
 * Wall time of one process in milliseconds, output read and thrown away.
 * @param {{ command: string, args: string[], env?: Record<string, string> }} subject
 */
export function timeOnce({ command, args, env = {} }) {
  const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env; // costs Node 20 some 60 ms a start
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint();
    const child = spawn(command, args, {
      env: { ...inherited, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.resume();
    child.on("error", reject);
    child.on("close", (code) => {
      if (code !== 0) reject(new Error(`${command} ${args.join(" ")} exited ${code}`));
      else resolve(Number(process.hrtime.bigint() - start) / 1e6);
    });
  });
}

/** Rounds of all subjects in turn; the first two rounds warm up. Times by name. */
export async function timeInTurn(subjects, rounds) {
  const times = new Map(subjects.map(({ name }) => [name, []]));
  for (let round = -2; round < rounds; round++) {
    for (const subject of subjects) {
      const time = await timeOnce(subject);
      if (round >= 0) times.get(subject.name).push(time);
    }
  }
  return times;
}

/** The middle of some numbers. */
export function median(numbers) {
  const sorted = [...numbers].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The number below which this share of them lies. */
export function quantile(numbers, share) {
  const sorted = [...numbers].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** The median of the pairs' ratios. */
export function ratio(times, name, base) {
  return median(times.get(name).map((time, round) => time / times.get(base)[round]));
}

/** Prints each subject's median and its ratio to each base, side by side. */
export function printTable(times, bases) {
  console.log(["what".padEnd(34), "median ms", ...bases.map((base) => `÷ ${base}`)].join("  "));
  for (const name of times.keys()) {
    const cells = bases.map((base) =>
      ratio(times, name, base)
        .toFixed(2)
        .padStart(base.length + 2),
    );
    console.log([name.padEnd(34), median(times.get(name)).toFixed(1).padStart(9), ...cells].join("  "));
  }
}
