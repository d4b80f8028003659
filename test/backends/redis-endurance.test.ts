/** Many messages under bad conditions, and slow followers: none lost, none twice, all in order, memory bounded. */
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect, onTestFinished, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import { idToNumber } from "../../src/core/ids.ts";
import type { Message } from "../../src/core/types.ts";
import { killProcesses } from "../helpers/processes.ts";
import { bytes, type Following, follow, openBoard } from "../helpers/redis-board.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { scaled } from "../helpers/scale.ts";
import { until } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";
import { start } from "./redis-world.ts";

const KEPT = { messagesPerChannel: 10_000_000, changes: 10, maxAgeMs: 86_400_000 };
const KEEPING_ALL = { history: KEPT };
const CHANNEL = { channels: ["timmy:c"] };
const MB = 1_000_000;

afterEach(killProcesses);

/** Publishes until the server has it: after a lost answer that is once more. */
async function sendSurely(store: RedisStore, payload: string): Promise<void> {
  const send = () =>
    store.publish("timmy:c", bytes(payload), "me").then(
      () => true,
      () => false,
    );
  await until(`${payload} to be sent`, send, 30_000);
}

/** So many messages by several at once, and then the last. */
async function sendMany(store: RedisStore, count: number, last: string): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await sendSurely(store, String(next++));
  };
  await Promise.all(Array.from({ length: 20 }, lane));
  await sendSurely(store, last);
}

/** What comes, up to a message that says so; a gap is an error. */
async function* upTo({ follower }: Following, last: string): AsyncGenerator<Message> {
  for await (const item of follower) {
    if ("gap" in item) throw new Error(`a gap: ${JSON.stringify(item)}`);
    yield item;
    if (item.payload.toString() === last) return;
  }
}

async function idsUpTo(following: Following, last: string): Promise<Array<string | null>> {
  const ids: Array<string | null> = [];
  for await (const { id } of upTo(following, last)) ids.push(id);
  return ids;
}

/** What was really sent: the log, read by another client. */
async function logged(server: RedisServer): Promise<string[]> {
  const reply = await server.cli("--json", "xrange", "timmy-bb:{timmy}:channel:timmy:c", "-", "+");
  return (JSON.parse(reply) as ReadonlyArray<[string, unknown]>).map(([id]) => id);
}

/** Does something again and again while something else goes on; the pace is the condition, nothing is waited for. */
async function during(work: Promise<unknown>, everyMs: number, deed: () => Promise<unknown>): Promise<void> {
  let working = true;
  const done = work.finally(() => {
    working = false;
  });
  while (working) {
    await pause(everyMs);
    if (working) await deed();
  }
  await done;
}

test("connections are killed every 200 ms: no message is lost, doubled or out of order", async () => {
  const server = await start();
  const [store, sender] = [
    await openBoard(server.url, KEEPING_ALL),
    await openBoard(server.url, KEEPING_ALL),
  ];
  const following = await follow(store, CHANNEL);
  const taking = idsUpTo(following, "last");
  const count = scaled(40_000, 200_000);
  await during(sendMany(sender, count, "last"), 200, async () => {
    await server.cli("client", "kill", "type", "pubsub");
    await server.cli("client", "kill", "type", "normal");
  });
  const ids = await taking;
  expect(ids).toEqual((await logged(server)).slice(0, ids.length));
  expect(ids.length).toBeGreaterThan(count);
  expect(following.states.filter(({ state }) => state === "away").length).toBeGreaterThan(1);
});

test("the server dies and comes back with its append-only file: no message is lost, doubled or out of order", async () => {
  const server = await start({ appendonly: true });
  const [store, sender] = [
    await openBoard(server.url, KEEPING_ALL),
    await openBoard(server.url, KEEPING_ALL),
  ];
  const following = await follow(store, CHANNEL);
  const taking = idsUpTo(following, "last");
  const count = scaled(10_000, 100_000);
  let restarts = 0;
  await during(sendMany(sender, count, "last"), 150, async () => {
    if (restarts++ < scaled(4, 40)) await server.restart();
  });
  const ids = await taking;
  expect(ids).toEqual((await logged(server)).slice(0, ids.length));
  expect(ids.length).toBeGreaterThan(count);
  expect(restarts).toBeGreaterThan(1);
  expect(following.states.length).toBeGreaterThan(1);
});

test("fifty followers get a thousand messages each, all in order", async () => {
  const server = await start();
  const store = await openBoard(server.url, KEEPING_ALL);
  const ways = [CHANNEL, { patterns: ["timmy:*"] }, { channels: ["timmy:c"], patterns: ["*:c", "timmy:?"] }];
  const all = await Promise.all(
    Array.from({ length: 50 }, (_, at) => follow(store, ways[at % ways.length] ?? CHANNEL)),
  );
  const taking = Promise.all(all.map((one) => idsUpTo(one, "last")));
  const sending = Array.from({ length: 1000 }, (_, at) => store.publish("timmy:c", bytes(`${at}`), "me"));
  const results = await Promise.all(sending); // all are still there
  expect(new Set(results.map(({ receivers }) => receivers))).toEqual(new Set([50]));
  results.push(await store.publish("timmy:c", bytes("last"), "me"));
  const sent = results.map(({ id }) => id);
  for (const ids of await taking) expect(ids).toEqual(sent);
});

/** What this process has grown by at most, in bytes, while something goes on. */
function watchMemory(): () => number {
  const before = process.memoryUsage.rss();
  let most = before;
  const look = () => {
    most = Math.max(most, process.memoryUsage.rss());
  };
  const timer = setInterval(look, 20);
  onTestFinished(() => clearInterval(timer));
  return () => {
    look();
    return most - before;
  };
}

/** What a shell prints, a line a message, sent by a process of its own. */
async function sendLines(server: RedisServer, lines: string): Promise<void> {
  const place = Workplace.redis(server, {
    TIMMY_BB_PREFIX: "timmy",
    TIMMY_BB_HISTORY_MESSAGES_PER_CHANNEL: String(KEPT.messagesPerChannel),
  });
  const script = `{ ${lines}; } | timmy-bb publish c --lines > sent`;
  const { exit, err } = await place.bash(script, { timeoutMs: 600_000 });
  expect([exit, err]).toEqual([0, ""]);
}

test("a loop that does not read costs no memory, and then gets everything from the log", async () => {
  // Without a limit the server cuts nobody off, however busy this machine is: whether all was taken from it is seen below.
  const server = await start({ settings: ["--client-output-buffer-limit", "pubsub 0 0 0"] });
  const store = await openBoard(server.url, KEEPING_ALL);
  const following = await follow(store, CHANNEL);
  const count = scaled(1700, 17_000);
  const growth = watchMemory();
  await sendLines(server, `yes "$(head -c 120000 /dev/zero | tr '\\0' x)" | head -n ${count}; echo last`);
  const isTaken = async () => / oll=0 omem=0 /.test(await server.cli("client", "list", "type", "pubsub"));
  await until("the follower to have taken all from the server, though its loop has not", isTaken);
  expect(growth()).toBeLessThan(60 * MB);
  const ids: number[] = [];
  for await (const { id } of upTo(following, "last")) ids.push(idToNumber(id ?? "") ?? 0);
  expect(ids).toEqual([...new Set(ids)].sort((one, other) => one - other));
  expect(String(ids.length)).toBe(await server.cli("xlen", "timmy-bb:{timmy}:channel:timmy:c"));
  expect(growth()).toBeLessThan(120 * MB); // what was read is given back when there is a need
  expect(following.states).toEqual([]);
});

test("memory is flat over many messages", async () => {
  const server = await start();
  const store = await openBoard(server.url, KEEPING_ALL);
  const following = await follow(store, CHANNEL);
  const count = scaled(25_000, 1_000_000);
  const sending = sendLines(server, `seq ${count}`);
  let growth = (): number => Infinity;
  let at = 0;
  for await (const { payload } of upTo(following, String(count))) {
    if (payload.toString() !== String(++at)) throw new Error(`${payload} came as message ${at}`);
    if (at === count / 5) growth = watchMemory();
  }
  expect(growth()).toBeLessThan(40 * MB);
  await sending;
});

test("a follower that was stopped for a while, and cut off for it, prints everything once and in order", async () => {
  const limit = ["--client-output-buffer-limit", "pubsub 256kb 64kb 1"];
  const server = await start({ settings: limit });
  const store = await openBoard(server.url, KEEPING_ALL);
  const place = Workplace.redis(server, { TIMMY_BB_PREFIX: "timmy" });
  const follower = place.start(["subscribe", "c", "--follow"], { timeoutMs: 120_000 });
  const isHeard = async () => (await store.publish("timmy:c", bytes("ready"), "me")).receivers === 1;
  await until("it to follow", isHeard);
  follower.process.kill("SIGSTOP");
  const sent = Array.from({ length: scaled(20_000, 200_000) }, (_, at) => String(at).padEnd(1000, ".")); // more than sockets hold
  for (let at = 0; at < sent.length; at += 1000) {
    await Promise.all(sent.slice(at, at + 1000).map((text) => store.publish("timmy:c", bytes(text), "me")));
  }
  expect(await server.cli("client", "list", "type", "pubsub")).toBe("");
  follower.process.kill("SIGCONT");
  const end = `${sent.at(-1)}\n`;
  await until("all to be printed", () => follower.stdout().subarray(-end.length).toString() === end, 60_000);
  follower.process.kill("SIGTERM");
  const { stdout, stderr } = await follower.ended;
  const printed = stdout.toString().split("\n").slice(0, -1);
  expect(printed.filter((line) => line !== "ready")).toEqual(sent);
  expect(stderr).toMatch(
    /^timmy-bb: redis is away .*\ntimmy-bb: reconnected after .*, \d+ messages recovered\n$/s,
  );
});
