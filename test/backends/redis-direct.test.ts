/** The direct connection: with a real server, and with one that breaks off, stays silent or speaks something else. */
import { createServer, type Socket } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ConnectError } from "../../src/backends/redis/connection.ts";
import { DirectConnection } from "../../src/backends/redis/direct-connection.ts";
import { ConnectionLostError, ServerReplyError } from "../../src/backends/redis/errors.ts";
import { LIBRARY } from "../helpers/library.ts";
import { start } from "../helpers/processes.ts";
import { bytes } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { removeTempDirs, tempDir } from "../helpers/temp.ts";
import { within } from "../helpers/until.ts";

const MIB = 1024 * 1024;
/** Whether ioredis is loaded, once one has asked in every way, and once one listens. */
const PROGRAM = `
import { createRequire } from "node:module";
const { openBlackboard } = await import(process.argv[1]);
const isLoaded = () => Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes("ioredis"));
const board = await openBlackboard({ backend: process.argv[2], url: process.argv[3] });
await board.set("key", "value");
await board.publish("channel", await board.get("key"));
for await (const _key of board.keys()) break;
await board.status();
const before = isLoaded();
await board.subscribe("channel").ready;
console.log(before, isLoaded());
await board.close();`;
let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
afterAll(removeTempDirs);

async function connect(target: ConstructorParameters<typeof DirectConnection>[0]): Promise<DirectConnection> {
  const connection = new DirectConnection(target);
  onTestFinished(() => connection.destroy());
  await connection.connect();
  return connection;
}

const toServer = (): Promise<DirectConnection> => connect({ socketPath: server.socketPath });

/** A connection to something that does this with the other end of it. */
async function connectTo(answer: (socket: Socket) => void): Promise<DirectConnection> {
  const listener = createServer((socket) => answer(socket.on("error", () => socket.destroy())));
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void listener.close());
  const address = listener.address();
  return connect({ host: "127.0.0.1", port: typeof address === "object" ? (address?.port ?? 0) : 0 });
}

function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return within(
    "the failure",
    promise.then(
      () => expect.unreachable("it did not fail"),
      (error: unknown) => error,
    ),
  );
}

test.each([
  ["a unix socket", () => ({ socketPath: server.socketPath })],
  ["TCP", () => ({ host: "localhost", port: server.port })],
])("every kind of answer, over %s", async (_what, target) => {
  const connection = await connect(target());
  expect(await connection.call("ping")).toEqual(bytes("PONG"));
  expect(await connection.call("get", "none")).toBeNull();
  expect(await connection.call("rpush", "list", "a", bytes("b"), 3)).toBe(3);
  expect(await connection.call("lrange", "list", 0, -1)).toEqual([bytes("a"), bytes("b"), bytes("3")]);
  const nested = "return {1, {'x', {}, {false, {'y'}}}, -5, redis.status_reply('FINE')}";
  expect(await connection.call("eval", nested, 0)).toEqual([
    1,
    [bytes("x"), [], [null, [bytes("y")]]],
    -5,
    bytes("FINE"),
  ]);
  await connection.call("del", "list");
});

test("an error is of its own command alone, and quotes nothing of it", async () => {
  const connection = await toServer();
  const [one, other] = await Promise.allSettled([
    connection.call("nonsense", "VALUE-OF-MINE"),
    connection.call("ping"),
  ]);
  expect(other).toEqual({ status: "fulfilled", value: bytes("PONG") });
  const error = one?.status === "rejected" ? one.reason : null;
  expect(error).toBeInstanceOf(ServerReplyError);
  expect(`${error.message}${error.stack}`).not.toContain("VALUE-OF-MINE");
});

test("answers come to who asked for them, however many ask at once", async () => {
  const connection = await toServer();
  const numbers = Array.from({ length: 20_000 }, (_, at) => at);
  const answers = await Promise.all(numbers.map((number) => connection.call("echo", number)));
  expect(answers.map(Number)).toEqual(numbers);
});

test("a large value both ways, not changed in a byte, and others around it", async () => {
  const connection = await toServer();
  const value = Buffer.alloc(64 * MIB);
  for (let at = 0; at < value.length; at += 4) value.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
  const [, , got, after] = await Promise.all([
    connection.call("set", "before", "b"),
    connection.call("set", "large", value),
    connection.call("get", "large"),
    connection.call("get", "before"),
  ]);
  expect(Buffer.isBuffer(got) && got.equals(value)).toBe(true);
  expect(after).toEqual(bytes("b"));
  await connection.call("flushall");
});

test("what is asked in one tick goes out in one write", async () => {
  const received: string[] = [];
  const connection = await connectTo((socket) => {
    socket.on("data", (chunk) => {
      received.push(chunk.toString());
      socket.write(":1\r\n".repeat(chunk.toString().split("get").length - 1));
    });
  });
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 100 }, (_, at) => connection.call("get", at)));
  }
  expect(received).toHaveLength(20); // each is smaller than what a read takes at once
});

test.each<readonly [string, (socket: Socket) => void]>([
  ["closes", (socket) => socket.end()],
  ["breaks off", (socket) => socket.resetAndDestroy()],
  ["answers one and breaks off in the middle of the other", (socket) => socket.end("+OK\r\n$10\r\nabc")],
])("a server that %s: all that is open is lost", async (_what, act) => {
  const connection = await connectTo((socket) => socket.on("data", () => act(socket)));
  const first = connection.call("get", "first");
  const last = connection.call("get", "last");
  first.catch(() => {}); // one of the servers answers it
  expect(await failureOf(last)).toBeInstanceOf(ConnectionLostError);
  await within("the end", connection.ended);
  expect([connection.usable, connection.spokeGibberish]).toEqual([false, false]);
  expect(await failureOf(connection.call("get", "later"))).toBeInstanceOf(ConnectionLostError);
});

test.each([
  ["another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["an answer to nothing", "+OK\r\n+OK\r\n"],
])("%s is told, and the connection ended", async (_what, said) => {
  const connection = await connectTo((socket) => socket.on("data", () => socket.write(said)));
  await connection.call("get", "k").catch(() => {}); // the second one answers it
  await within("the end", connection.ended);
  expect([connection.usable, connection.spokeGibberish]).toEqual([false, true]);
});

test("who destroys it loses what is open, and no answer comes any more", async () => {
  server.pause();
  onTestFinished(() => server.resume());
  const connection = await toServer();
  const open = connection.call("get", "k");
  connection.destroy();
  connection.destroy();
  expect(connection.usable).toBe(false);
  expect(await failureOf(open)).toBeInstanceOf(ConnectionLostError);
  await within("the end", connection.ended);
});

test("why it could not be made, and that it was given up meanwhile", async () => {
  const refused = new DirectConnection({ host: "127.0.0.1", port: 1 });
  expect(await failureOf(refused.connect())).toMatchObject({ code: "ECONNREFUSED" });
  expect(refused.code).toBe("ECONNREFUSED");
  const givenUp = new DirectConnection({ host: "127.0.0.1", port: server.port });
  const connecting = givenUp.connect();
  givenUp.destroy();
  expect(await failureOf(connecting)).toBeInstanceOf(ConnectError);
  expect(givenUp.usable).toBe(false);
});

test.each(["redis", "auto"])("who only asks never loads ioredis (%s)", async (backend) => {
  const args = ["--input-type=module", "-e", PROGRAM, LIBRARY, backend, server.url];
  const home = tempDir("home");
  const env = { HOME: home, TIMMY_BB_DATA_DIR: `${home}/data` };
  const { stdout, stderr } = await start(process.execPath, args, { cwd: home, env }).ended;
  expect([stdout.toString(), stderr]).toEqual(["false true\n", ""]);
});
