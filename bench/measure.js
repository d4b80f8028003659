// Paired timing of whole processes: A B C A B C …, so that a drift of the machine's speed hits all alike.
import { spawn, spawnSync } from "node:child_process";
import { constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnv } from "./servers.js";

/** A pipe, as `$(…)` gives a program one; Node itself would give it a socket. What comes is thrown away. */
let pipe = null;
function shellPipe() {
  if (pipe !== null) return pipe;
  const directory = mkdtempSync(join(tmpdir(), "timmy-bb-pipe-"));
  const path = join(directory, "pipe");
  spawnSync("mkfifo", [path]);
  const from = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  pipe = { from, to: openSync(path, constants.O_WRONLY) };
  rmSync(directory, { recursive: true });
  return pipe;
}

function drain(descriptor) {
  try {
    while (readSync(descriptor, Buffer.alloc(65_536)) > 0);
  } catch (error) {
    if (error.code !== "EAGAIN") throw error;
  }
}

/**
 * Wall time of one process in milliseconds. It reads nothing and its output is thrown away, unless told otherwise.
 * @param {{ command: string, args: string[], env?: Record<string, string> }} subject
 * @param {{ from?: number, to?: number }} [files] descriptors of its input and output
 */
export function timeOnce({ command, args, env = {} }, { from = "ignore", to = shellPipe().to } = {}) {
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint();
    const child = spawn(command, args, { env: { ...childEnv, ...env }, stdio: [from, to, "inherit"] });
    child.on("error", reject);
    child.on("close", (code) => {
      if (to === pipe?.to) drain(pipe.from);
      if (code !== 0) reject(new Error(`${command} ${args.join(" ")} exited ${code}`));
      else resolve(Number(process.hrtime.bigint() - start) / 1e6);
    });
  });
}

/** Rounds of all subjects in turn, after some that only warm up. Times by name. */
export async function timeInTurn(subjects, rounds, warming = 2) {
  const times = new Map(subjects.map(({ name }) => [name, []]));
  for (let round = -warming; round < rounds; round++) {
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

/** The middle and the slowest hundredth of all rounds, and the median of the rounds' ratios to a base. */
export function spreadOf(times, name, base) {
  const all = times.get(name).flat();
  const [own, others] = [name, base].map((of) => times.get(of).map(median));
  const ratio = median(own.map((time, round) => time / others[round]));
  return { p50: median(all), p99: quantile(all, 0.99), ratio };
}

/** A column of medians and one of ratios to each base, for `rowsOf`. */
export function columnsOf(bases, column = { unit: "ms", digits: 1 }) {
  const ratios = Object.entries(bases).map(([id, { head }]) => ({ id, head }));
  return [{ id: "median", head: "median", ...column }, ...ratios];
}

/**
 * Each subject's median and its ratio to each base.
 * @param {Record<string, { head: string, of: string | ((name: string) => string | undefined) }>} bases by the id of their column
 */
export function rowsOf(times, bases) {
  return [...times.keys()].map((name) => {
    const row = { name, median: median(times.get(name)) };
    for (const [id, { of }] of Object.entries(bases)) {
      const base = typeof of === "string" ? of : of(name);
      if (times.has(base)) row[id] = ratio(times, name, base);
    }
    return row;
  });
}
