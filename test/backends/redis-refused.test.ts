/** Workers and followers of a server that is there and says no. No connection is lost, and still it is said. */
import { expect, test } from "vitest";
import { RawRedis } from "../helpers/raw-redis.ts";
import { bytes, follow, openBoard, texts } from "../helpers/redis-board.ts";
import { until, within } from "../helpers/until.ts";
import { deliveries, send, shown, type Working, work } from "./redis-consumer-world.ts";
import { start } from "./redis-world.ts";

const away = (reason: RegExp) => ({ state: "away", store: "redis", reason: expect.stringMatching(reason) });
const BACK = {
  state: "back",
  store: "redis",
  recovered: 0,
  awayMs: expect.toSatisfy((ms: number) => ms >= 200),
};

/** Everything a worker can be waiting with, of five messages: what it takes comes with its promise. */
async function waitingWithAll({ hold, take, worker }: Working, begin: () => Promise<unknown>) {
  const [first = expect.unreachable(), second = expect.unreachable(), third = expect.unreachable()] =
    await hold(3);
  await begin();
  const next = take().then((items) => shown(deliveries(items)));
  return Promise.all([next, worker.ack(first), worker.giveUp(second, "bad"), worker.release(third)]);
}

test("a primary that becomes a replica: said once, whatever waits, and when it is over; then all is done", async () => {
  const server = await start();
  const store = await openBoard(server.url, { timeoutMs: 200 });
  await send(store, 5);
  const working = await work(store);
  const { states } = working;
  const done = waitingWithAll(working, () => server.cli("replicaof", "127.0.0.1", "1"));
  await until("it is said", () => states.length > 0);
  await server.cli("client", "kill", "type", "pubsub"); // it hears again, and is refused still
  await until("it hears", async () => /\n1$/.test(await server.cli("pubsub", "numsub", "timmy:c")));
  await server.cli("replicaof", "no", "one");
  expect((await within("all of it", done)).slice(1)).toEqual([undefined, true, undefined]);
  await until("it is back", () => states.length > 1);
  expect(states).toEqual([away(/ is a read-only replica$/), BACK]);
});

test("a full one refuses a worker nothing", async () => {
  const server = await start();
  const store = await openBoard(server.url, { timeoutMs: 200 });
  await send(store, 5);
  const working = await work(store);
  const full = () => server.cli("config", "set", "maxmemory", "1");
  await within("all of it", waitingWithAll(working, full));
  expect(working.states).toEqual([]);
});

test("one that takes no more clients: what it hears with and what it asks with are told as one", async () => {
  const server = await start();
  const admin = await RawRedis.connect(server.url);
  const store = await openBoard(server.url, { timeoutMs: 200 });
  await send(store, 2);
  const { hold, worker, states } = await work(store);
  const [first = expect.unreachable(), second = expect.unreachable()] = await hold(2);
  const killOnFull = async (type: string) => {
    await admin.call("config", "set", "maxclients", "1");
    await admin.call("client", "kill", "type", type);
  };
  await killOnFull("pubsub");
  await until("it is said", () => states.length > 0);
  await worker.ack(first);
  expect(states).toEqual([away(/^the connection was lost$/)]);
  await admin.call("config", "set", "maxclients", "1000");
  await until("it is back", () => states.length > 1);
  await killOnFull("normal");
  const acked = worker.ack(second);
  await until("it is said again", () => states.length > 2);
  await admin.call("config", "set", "maxclients", "1000");
  admin.close();
  await within("the acknowledgement", acked);
  await until("it is back again", () => states.length > 3);
  expect(states.slice(2)).toEqual([away(/ takes no more clients$/), BACK]);
});

test("a follower that hears again and cannot read what it missed: it tries on, and misses nothing", async () => {
  const server = await start();
  const admin = await RawRedis.connect(server.url);
  const sender = await openBoard(server.url);
  await server.cli("acl", "setuser", "reader", "on", "nopass", "~*", "&*", "+@all");
  const store = await openBoard(server.url.replace("//", "//reader:x@"), { timeoutMs: 200 });
  const { states, take } = await follow(store, { channels: ["timmy:c"] });
  await admin.call("config", "set", "maxclients", "3"); // the two above, and one of the follower's two
  await admin.call("client", "kill", "user", "reader");
  await sender.publish("timmy:c", bytes("missed"), "me");
  const rejected = async () =>
    /rejected_connections:(\d+)/.exec(String(await admin.call("info", "stats")))?.[1];
  await until("a few attempts", async () => Number(await rejected()) > 2);
  await admin.call("config", "set", "maxclients", "1000");
  admin.close();
  expect(texts(await take(1))).toEqual(["missed"]);
  await until("it says so", () => states.length > 1);
  expect(states).toEqual([
    away(/^the connection was lost$/),
    { ...BACK, recovered: 1, awayMs: expect.any(Number) },
  ]);
});
