// From just before a message is sent to when another process has it.
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { childEnv } from "../servers.js";
import { CLIENTS } from "./clients.js";

const PACE_MS = 5;
/** A hundred messages that each wait for a poll of a second end within it. */
const ROUND_SECONDS = 150;

/**
 * Clients in node processes: the bench publishes, a process of its own follows. Milliseconds by subject, rounds in turn.
 * @param names of `CLIENTS` @param paced whether to leave some milliseconds between messages
 */
export async function clientLatencies(names, places, { rounds, messages, paced }) {
  const subjects = new Map();
  for (const name of names) subjects.set(name, await openPair(name, places));
  const times = await inTurn(subjects, { rounds, messages, paced });
  for (const { close } of subjects.values()) await close();
  return times;
}

/** Tools: what is fed a line, until the line is printed by another tool. */
export async function toolLatencies(tools, places, plan) {
  const subjects = new Map();
  for (const [name, tool] of Object.entries(tools)) subjects.set(name, await openTools(tool, places.dir));
  const times = await inTurn(subjects, plan);
  for (const { close } of subjects.values()) await close();
  return times;
}

/** Each round so many messages of each subject; two rounds to warm up. By subject and round. */
async function inTurn(subjects, { rounds, messages, paced }) {
  const times = new Map([...subjects.keys()].map((name) => [name, []]));
  for (let round = -2; round < rounds; round++) {
    for (const [name, { exchange }] of subjects) {
      const ofRound = await inTime(name, oneRound(exchange, messages, paced));
      if (round >= 0) times.get(name).push(ofRound);
    }
  }
  return times;
}

async function oneRound(exchange, messages, paced) {
  const times = [];
  for (let at = 0; at < messages; at++) {
    times.push((await exchange()) / 1e6);
    if (paced) await sleep(PACE_MS);
  }
  return times;
}

/** A message that is lost would be waited for for ever. */
async function inTime(name, round) {
  const calm = new AbortController();
  const late = sleep(ROUND_SECONDS * 1000, null, { signal: calm.signal }).catch(() => {});
  const times = await Promise.race([round, late]);
  calm.abort();
  if (!times) throw new Error(`${name}: a round has not ended after ${ROUND_SECONDS} s; is a message lost?`);
  return times;
}

async function openPair(name, places) {
  const args = [name, JSON.stringify(places), "each"];
  const options = { env: childEnv, cwd: places.dir };
  const follower = fork(join(import.meta.dirname, "follower.js"), args, options);
  await once(follower, "message");
  const client = await CLIENTS[name](places);
  return {
    async exchange() {
      const received = once(follower, "message");
      await client.publish(String(process.hrtime.bigint()));
      const [nanoseconds] = await received;
      if (nanoseconds < 0) throw new Error("the processes do not share a clock");
      return nanoseconds;
    },
    async close() {
      follower.kill();
      await client.close();
    },
  };
}

async function openTools({ receive, send, line, env }, dir) {
  const options = { env: { ...childEnv, ...env }, cwd: dir };
  const receiver = spawn(receive[0], receive.slice(1), { ...options, stdio: ["ignore", "pipe", "inherit"] });
  const sender = spawn(send[0], send.slice(1), { ...options, stdio: ["pipe", "ignore", "inherit"] });
  const exchange = exchanging(receiver.stdout, (payload) => sender.stdin.write(line(payload)));
  // Nobody says when a receiver is ready: it is when something comes.
  while ((await Promise.race([exchange(), sleep(300, null)])) === null);
  await sleep(300); // what was sent meanwhile comes, too
  return {
    exchange,
    async close() {
      sender.kill();
      receiver.kill();
    },
  };
}

/** Sends a payload nobody sent before, and waits for it in the output. */
function exchanging(output, send) {
  let number = 0;
  let printed = "";
  let onPrinted = () => {};
  output.setEncoding("latin1").on("data", (text) => {
    const now = process.hrtime.bigint();
    printed = (printed + text).slice(-200);
    onPrinted(now);
  });
  return () =>
    new Promise((resolve) => {
      const payload = `message-${number++}-`;
      onPrinted = (now) => printed.includes(payload) && resolve(Number(now - start));
      const start = process.hrtime.bigint();
      send(payload);
    });
}
