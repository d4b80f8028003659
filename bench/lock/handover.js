// From just before one process gives a lock back to when another one, which waits for it, has it.
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { childEnv } from "../servers.js";

/** How long the other one waits at least and at most, in milliseconds: any moment between two polls. */
const LEAST_WAIT_MS = 15;
const MOST_WAIT_MS = 35;
/** What a tool's command does, and how often each of the two runs it in a round; long enough for the other one to start and to wait. */
const HOLD = ["sh", "-c", "date +%s%N; sleep 0.3; date +%s%N"];
const HOLDS = 4;

/** Clients in node processes. Milliseconds by subject and round. */
export async function clientHandovers(names, places, { rounds, handovers }) {
  const pairs = new Map();
  for (const name of names) pairs.set(name, await openPair(name, places));
  const times = await inTurn([...pairs], rounds, ({ handOver }) => severally(handOver, handovers));
  for (const { close } of pairs.values()) close();
  return times;
}

/** Whole tools, each called by two shells that run a command under the lock again and again. Milliseconds by subject and round. */
export function toolHandovers(tools, places, rounds) {
  return inTurn(Object.entries(tools), rounds, (tool) => handoversOf(tool, places));
}

/** One round to warm up. */
async function inTurn(subjects, rounds, measure) {
  const times = new Map(subjects.map(([name]) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, subject] of subjects) {
      const ofRound = await measure(subject);
      if (round >= 0) times.get(name).push(ofRound);
    }
  }
  return times;
}

async function severally(handOver, count) {
  const times = [];
  for (let at = 0; at < count; at++) times.push(await handOver());
  return times;
}

async function openPair(name, places) {
  let [holder, other] = [await openContender(name, places), await openContender(name, places)];
  await holder.do("acquire");
  return {
    async handOver() {
      const had = other.do("acquire");
      await sleep(LEAST_WAIT_MS + Math.random() * (MOST_WAIT_MS - LEAST_WAIT_MS));
      const given = await holder.do("release");
      const nanoseconds = (await had) - given;
      if (nanoseconds < 0) throw new Error(`${name}: both have the lock`);
      [holder, other] = [other, holder];
      return Number(nanoseconds) / 1e6;
    },
    close() {
      holder.stop();
      other.stop();
    },
  };
}

async function openContender(name, places) {
  const args = [name, JSON.stringify(places)];
  const child = fork(join(import.meta.dirname, "contender.js"), args, { env: childEnv, cwd: places.dir });
  await once(child, "message");
  return {
    async do(deed) {
      const done = once(child, "message");
      child.send(deed);
      const [{ at }] = await done;
      return BigInt(at);
    },
    stop: () => child.kill(),
  };
}

/** Between two shells: who had it last waits a little, so that the other one gets it with every tool. */
async function handoversOf({ words, env }, { dir }) {
  const command = [...words, ...HOLD].map((word) => `'${word}'`).join(" ");
  const script = `for n in $(seq ${HOLDS}); do ${command}; sleep 0.1; done`;
  const holds = (await Promise.all([0, 1].map((shell) => holdsOf(shell, script, env, dir)))).flat();
  holds.sort((left, right) => left.from - right.from);
  const pairs = holds.slice(1).map((hold, at) => [holds[at], hold]);
  if (pairs.some(([before, after]) => after.from < before.to)) throw new Error("both have the lock");
  return pairs
    .filter(([before, after]) => before.shell !== after.shell)
    .map(([before, after]) => after.from - before.to);
}

/** From when until when each of a shell's commands held the lock, in milliseconds. */
async function holdsOf(shell, script, env, dir) {
  const child = spawn("bash", ["-c", script], {
    env: { ...childEnv, ...env },
    cwd: dir,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("latin1").on("data", (chunk) => {
    text += chunk;
  });
  await once(child, "close");
  const moments = text.trim().split("\n").map(milliseconds);
  if (moments.length !== 2 * HOLDS) throw new Error(`${script}: printed ${moments.length} lines`);
  return Array.from({ length: HOLDS }, (_, at) => {
    return { shell, from: moments[2 * at], to: moments[2 * at + 1] };
  });
}

/** Nanoseconds since the epoch are more than a number can hold. */
function milliseconds(line) {
  return Number(BigInt(line) - started) / 1e6;
}
const started = BigInt(Date.now()) * 1_000_000n;
