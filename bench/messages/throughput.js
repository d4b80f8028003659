// Many messages through one follower: seconds from the first sent to the last received, and whether all came, in order.
import { fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, createReadStream, openSync, readSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { childEnv } from "../servers.js";
import { CLIENTS } from "./clients.js";

/** Some 100 bytes, the message's number first. */
const FILLING = "x".repeat(91);
/** Sent without waiting for the answers of those before. */
const IN_FLIGHT = 100;
/** Nothing more comes after this long without anything. */
const SILENCE_MS = 5000;

export const payloadOf = (number) => `${String(number).padStart(8, "0")}-${FILLING}`;

/** Clients in node processes: the bench publishes, a process of its own follows. */
export async function clientThroughput(name, places, messages) {
  const args = [name, JSON.stringify(places), "count"];
  const options = { env: childEnv, cwd: places.dir };
  const follower = fork(join(import.meta.dirname, "follower.js"), args, options);
  await once(follower, "message");
  const client = await CLIENTS[name](places);
  const start = process.hrtime.bigint();
  await publishAll(client, messages);
  const seen = await settled(() => ask(follower), messages);
  follower.kill();
  await client.close();
  return { seconds: seconds(start, seen.at), ...seen };
}

async function publishAll(client, messages) {
  for (let at = 0; at < messages; at += IN_FLIGHT) {
    const some = Array.from({ length: Math.min(IN_FLIGHT, messages - at) }, (_, of) => payloadOf(at + of));
    await Promise.all(some.map((text) => client.publish(text)));
  }
}

async function ask(follower) {
  const answer = once(follower, "message");
  follower.send("report");
  const [seen] = await answer;
  return seen;
}

/** Writes lines as fast as they are taken. */
export async function feed(stdin, line, messages) {
  for (let at = 0; at < messages; at += IN_FLIGHT) {
    const some = Array.from({ length: Math.min(IN_FLIGHT, messages - at) }, (_, of) =>
      line(payloadOf(at + of)),
    );
    if (!stdin.write(some.join(""))) await once(stdin, "drain");
  }
}

/**
 * Tools: lines into `send`, out of `receive > output`. The sender's start counts, the receiver's does not.
 * The input stays open until all has come: `mosquitto_pub -l -q 1` leaves at its end, whatever is still to be sent.
 */
export async function toolThroughput(tool, dir, messages) {
  const [output, options] = [join(dir, "received"), { cwd: dir, env: { ...childEnv, ...tool.env } }];
  const to = openSync(output, "w");
  const receiver = run(tool.receive, { ...options, stdio: ["ignore", to, "inherit"] });
  await untilReceiving(tool, options, output);
  const start = process.hrtime.bigint();
  const sender = run(tool.send, { ...options, stdio: ["pipe", "ignore", "inherit"] });
  void feed(sender.stdin, tool.line, messages);
  const { at } = await settled(() => progress(output, messages), messages);
  receiver.kill();
  sender.kill();
  closeSync(to);
  const seen = await inspect(output);
  unlinkSync(output);
  return { seconds: seconds(start, at), ...seen };
}

function run(command, options) {
  return spawn(command[0], command.slice(1), options);
}

/** Nobody says when a receiver is ready: it is when something comes. Its number tells it from the others. */
async function untilReceiving(tool, options, output) {
  while (!lastOf(output).includes("warm")) {
    spawnSync(tool.send[0], tool.send.slice(1), { ...options, input: tool.line("warm") });
  }
}

function progress(output, messages) {
  const isComplete = lastOf(output).includes(payloadOf(messages - 1).slice(0, 9));
  return { count: isComplete ? messages : statSync(output).size, at: process.hrtime.bigint() };
}

function lastOf(file) {
  const bytes = Buffer.alloc(300);
  const { size } = statSync(file);
  const descriptor = openSync(file, "r");
  const read = readSync(descriptor, bytes, 0, bytes.length, Math.max(0, size - bytes.length));
  closeSync(descriptor);
  return bytes.latin1Slice(0, read);
}

/** Looks every 10 ms until all are there, or nothing comes any more; the moment of the last change. */
async function settled(look, messages) {
  let last = await look();
  let changed = Date.now();
  while (last.count !== messages && Date.now() - changed < SILENCE_MS) {
    await sleep(10);
    const now = await look();
    if (now.count === last.count) continue;
    [last, changed] = [now, Date.now()];
  }
  return last;
}

/** Redis-cli prints other lines, too. */
async function inspect(output) {
  const seen = { count: 0, unordered: 0 };
  let last = -1;
  for await (const line of createInterface({ input: createReadStream(output) })) {
    if (!line.endsWith(FILLING)) continue;
    const number = Number(line.slice(0, 8));
    if (number !== last + 1) seen.unordered++;
    last = number;
    seen.count++;
  }
  return seen;
}

function seconds(start, end) {
  return Number(BigInt(end) - start) / 1e9;
}
