/** Servers that answer late or not at all: what a caller waits for, and that closing waits for nobody. */
import { connect, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createRedis } from "../../src/backends/redis/index.ts";
import type { RedisOptions, RedisStore } from "../../src/backends/redis/store.ts";
import { bytes, follow, openBoard, plainly, redisOptions } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until, within } from "../helpers/until.ts";

const NO_STATE = { onState: () => {}, from: null, live: true };
const CHANNEL = { channels: ["timmy:c"], patterns: [] };
/** So long that only what does not wait at all ends before the test does. */
const FOR_EVER = { timeoutMs: 3_600_000 };
let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

async function listen(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket.on("error", () => socket.destroy()));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  const address = listener.address();
  return `redis://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}

/** Hands a chunk on, or does not. */
type Pass = (chunk: Buffer, goOn: () => void) => void;
const passAll: Pass = (_chunk, goOn) => goOn();

/** A way to the server with a check at either side of each connection. */
function line(check: () => { readonly asked?: Pass; readonly answered?: Pass }): Promise<string> {
  return listen((near) => {
    const { asked = passAll, answered = passAll } = check();
    const far = connect(server.port, "127.0.0.1").on("error", () => near.destroy());
    near.on("data", (chunk) => asked(chunk, () => far.write(chunk))).on("close", () => far.destroy());
    far.on("data", (chunk) => answered(chunk, () => near.write(chunk))).on("close", () => near.destroy());
  });
}

/** Each connection gets its first answer so late, and no other. */
function lateThenSilent(afterMs: number): Promise<string> {
  return line(() => {
    let answers = 0;
    return { answered: (_chunk, goOn) => void (answers++ === 0 && setTimeout(goOn, afterMs)) };
  });
}

const blackHole = (): Promise<string> => listen(() => {});

function unconnected(url: string, changes: Partial<RedisOptions>): RedisStore {
  const store = createRedis(redisOptions(url, changes));
  onTestFinished(() => store.close());
  return store;
}

test.each<readonly [string, (store: RedisStore) => Promise<unknown>]>([
  ["get", (store) => store.get("timmy:k")],
  ["set", (store) => store.set("timmy:k", bytes("v"), plainly)],
  ["publish", (store) => store.publish("timmy:c", bytes("v"), "me")],
  ["keys", (store) => store.keys("*")[Symbol.asyncIterator]().next()],
  ["channels", (store) => store.channels("*")],
  ["status", (store) => store.status()],
  ["follow", (store) => store.follow(CHANNEL, NO_STATE).ready],
])("opening and a first %s end within one bound together", async (_what, operation) => {
  const start = performance.now();
  const store = await openBoard(await lateThenSilent(700), { timeoutMs: 1000 });
  await expect(operation(store)).rejects.toMatchObject({ kind: expect.stringMatching(/^un/) });
  expect(performance.now() - start).toBeLessThan(1000 + 250);
});

test("the bound of later operations is whole again", async () => {
  const store = await openBoard(await lateThenSilent(700), { timeoutMs: 1000 });
  await expect(store.get("timmy:k")).rejects.toMatchObject({ kind: "unavailable" });
  const start = performance.now();
  await expect(store.get("timmy:k")).rejects.toMatchObject({ kind: "unavailable" });
  expect(performance.now() - start).toBeGreaterThan(950);
});

test.each(["follow", "followPatiently"] as const)("closing does not wait for a dial (%s)", async (how) => {
  const store = unconnected(await blackHole(), FOR_EVER);
  const [one, other] = [store[how](CHANNEL, NO_STATE), store[how](CHANNEL, NO_STATE)];
  const reading = store.get("timmy:k");
  reading.catch(() => {}); // looked at below
  await within("the follower to close", one.close());
  await within("the store to close", store.close());
  await expect(one.ready).rejects.toMatchObject({ kind: "unavailable" });
  await expect(other.ready).rejects.toMatchObject({ kind: "unavailable" });
  await expect(within("the operation to end", reading)).rejects.toMatchObject({
    message: "the board is closed",
  });
});

test("closing does not wait for a server that went silent, under way or while catching up", async () => {
  let swallowing = false;
  const url = await line(() => {
    let silent = false;
    const asked: Pass = (chunk, goOn) => {
      silent ||= swallowing && chunk.includes("evalsha");
      if (!silent) goOn();
    };
    return { asked };
  });
  const store = await openBoard(url, FOR_EVER);
  await store.publish("timmy:c", bytes("x"), "me");
  const { follower, states } = await follow(store, CHANNEL);
  swallowing = true;
  const sending = store.publish("timmy:c", bytes("x"), "me").catch((error: unknown) => error);
  await server.cli("client", "kill", "type", "pubsub");
  await until("the follower to notice", () => states.length === 1);
  await until(
    "it to subscribe again",
    async () => (await server.cli("client", "list", "type", "pubsub")) !== "",
  );
  await within("the follower to close", follower.close());
  await within("the store to close", store.close());
  expect(await within("the operation to end", sending)).toMatchObject({ kind: "unknown" });
});

test("a store that is closed does not come back to life", async () => {
  const store = await openBoard(server.url);
  await store.close();
  for (const follower of [store.follow(CHANNEL, NO_STATE), store.followPatiently(CHANNEL, NO_STATE)]) {
    await expect(within("the refusal", follower.ready)).rejects.toMatchObject({
      message: "the board is closed",
    });
  }
  await expect(store.get("timmy:k")).rejects.toMatchObject({ message: "the board is closed" });
  expect(await server.cli("client", "list", "type", "pubsub")).toBe("");
});
