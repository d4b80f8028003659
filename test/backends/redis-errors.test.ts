/** What goes wrong, which kind it is, whether another store may be used, and that no secret is in it. */

import { createServer, type Server } from "node:net";
import { inspect } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openRedis, UnreachableError } from "../../src/backends/redis/index.ts";
import { BlackboardError } from "../../src/core/errors.ts";
import { bytes, openBoard, plainly, redisOptions } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";

const SECRET = "hush hush#%/@";
const CONNECT_MS = 300;
let open: RedisServer;
let locked: RedisServer;

beforeAll(async () => {
  [open, locked] = await Promise.all([RedisServer.start(), RedisServer.start({ password: SECRET })]);
});
afterAll(() => Promise.all([open.stop(), locked.stop()]));

/** The error of opening a board at an address. */
function opening(url: string, changes = {}): Promise<BlackboardError> {
  return caught(openRedis(redisOptions(url, changes), CONNECT_MS).then((store) => store.close()));
}

/** The error of a promise, with nothing secret anywhere on it. */
async function caught(promise: Promise<unknown>): Promise<BlackboardError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof BlackboardError)) throw new Error(`not a BlackboardError: ${inspect(error)}`);
  const all = inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true });
  expect(all + JSON.stringify(error) + error.message).not.toMatch(/hush|VALUE-OF-MINE/);
  return error;
}

async function serverThat(answers: (socket: import("node:net").Socket) => void): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    answers(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return `redis://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}

test.each([
  ["a port nobody listens on", "redis://127.0.0.1:1", "connection refused"],
  ["a port nobody listens on, for TLS", "rediss://127.0.0.1:1", "connection refused"], // loads its driver, too: the next test is timed
  ["a name of several addresses", "redis://localhost:1", "connection refused"],
  ["a name nobody has", "redis://no-such-host.invalid", "no such host"],
  ["a socket that is not there", "unix:///no/such.sock", "no such socket"],
])("%s is unreachable", async (_what, url, reason) => {
  const error = await opening(url);
  expect(error).toBeInstanceOf(UnreachableError);
  expect(error.kind).toBe("unavailable");
  expect(error.message).toMatch(/^cannot reach /);
  expect(error.message).toContain(reason);
});

test("a server that never answers is unreachable, in time, with TLS too", async () => {
  open.pause();
  onTestFinished(() => open.resume());
  for (const url of [open.url, open.url.replace("redis:", "rediss:"), open.socketUrl]) {
    const start = performance.now();
    expect(await opening(url)).toBeInstanceOf(UnreachableError);
    expect(performance.now() - start).toBeLessThan(CONNECT_MS + 250);
  }
});

test("a server that closes before it answers is unreachable", async () => {
  const error = await opening(await serverThat((socket) => socket.destroy()));
  expect(error).toBeInstanceOf(UnreachableError);
});

test.each([
  ["the wrong password", () => locked.url.replace("hush", "hushed"), /refused the user or the password/],
  ["a user nobody is", () => locked.url.replace("//:", "//nobody:"), /refused the user or the password/],
  ["no password", () => `redis://127.0.0.1:${locked.port}`, /wants a password/],
  ["a password nobody asked for", () => `redis://:hush@127.0.0.1:${open.port}`, /has no password/],
  ["a database that is not there", () => `${open.url}/99`, /has no such database/],
  [
    "the wrong password, and the wrong database",
    () => `redis://:hush@127.0.0.1:${locked.port}/99`,
    /password/,
  ],
  ["TLS to a plain port", () => open.url.replace("redis:", "rediss:"), /does not speak TLS/],
])("%s is a wrong setting, not an absence", async (_what, url, message) => {
  const error = await opening(url());
  expect(error).not.toBeInstanceOf(UnreachableError);
  expect(error.kind).toBe("config");
  expect(error.message).toMatch(message);
  expect(error.hint).toBeDefined();
});

test("another kind of server is a wrong setting", async () => {
  const url = await serverThat((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const error = await opening(url);
  expect(error).not.toBeInstanceOf(UnreachableError);
  expect([error.kind, error.message]).toEqual(["config", `${url} does not speak the Redis protocol`]);
});

test.each([
  ["-LOADING Redis is loading the dataset in memory", /still loading/],
  ["-MASTERDOWN Link with MASTER is down", /lost its primary/],
  ["-ERR max number of clients reached", /no more clients/],
])("a server that answers %s is unavailable and there", async (line, message) => {
  const error = await opening(
    await serverThat((socket) => socket.on("data", () => socket.write(`${line}\r\n`))),
  );
  expect(error).not.toBeInstanceOf(UnreachableError);
  expect(error.kind).toBe("unavailable");
  expect(error.message).toMatch(message);
});

test("the right password, with every awkward character in it, in the right database", async () => {
  const store = await openBoard(`${locked.url}/3`);
  await store.set("timmy:k", bytes("v"), plainly);
  expect(await locked.cli("-n", "3", "get", "timmy:k")).toBe("v");
  expect(await locked.cli("exists", "timmy:k")).toBe("0");
});

test("an answer that does not come: a read changed nothing, a write may have happened", async () => {
  const store = await openBoard(open.url, { timeoutMs: 250 });
  await store.get("timmy:k");
  open.pause();
  onTestFinished(() => open.resume());
  const start = performance.now();
  const [write, read] = await Promise.all([
    caught(store.set("timmy:k", bytes("VALUE-OF-MINE"), plainly)),
    caught(store.get("timmy:k")),
  ]);
  expect(performance.now() - start).toBeLessThan(600);
  expect([write.kind, read.kind]).toEqual(["unknown", "unavailable"]);
  expect(read).not.toBeInstanceOf(UnreachableError);
  const later = await caught(store.set("timmy:k", bytes("VALUE-OF-MINE"), plainly));
  expect(later).toBeInstanceOf(UnreachableError); // on a new connection, on which nothing was sent
  open.resume();
  expect(await store.incr("timmy:after", 1n, "me")).toBe(1n);
});

test("a connection that drops under a write leaves it unknown; the next operation makes a new one", async () => {
  const store = await openBoard(open.url);
  open.pause();
  const write = caught(store.set("timmy:k", bytes("VALUE-OF-MINE"), plainly));
  const read = caught(store.get("timmy:k"));
  await open.restart();
  expect([(await write).kind, (await read).kind]).toEqual(["unknown", "unavailable"]);
  expect(await store.get("timmy:k")).toBeNull();
});

test("wrong types, overflow and bad numbers are conflicts, and change nothing", async () => {
  const store = await openBoard(open.url);
  await open.cli("rpush", "timmy:list", "VALUE-OF-MINE");
  const ifValue = { ...plainly, condition: { if: "value", value: bytes("x") } } as const;
  const attempts = [
    store.get("timmy:list"),
    store.incr("timmy:list", 1n, "me"),
    store.set("timmy:list", bytes("x"), ifValue),
  ];
  for (const attempt of attempts) expect((await caught(attempt)).kind).toBe("conflict");
  expect(await open.cli("lrange", "timmy:list", "0", "-1")).toBe("VALUE-OF-MINE");
});

test("a full server answers: nothing was changed, and it is not an absence", async () => {
  const store = await openBoard(open.url);
  await store.set("timmy:old", bytes("v"), plainly);
  await open.cli("config", "set", "maxmemory", "1");
  onTestFinished(() => void open.cli("config", "set", "maxmemory", "0"));
  const error = await caught(store.set("timmy:full", bytes("VALUE-OF-MINE"), plainly));
  expect(error).not.toBeInstanceOf(UnreachableError);
  expect([error.kind, error.hint]).toEqual(["unavailable", "raise its maxmemory or delete keys"]);
  expect(await open.cli("exists", "timmy:full")).toBe("0");
  for (const write of [store.incr("timmy:n", 1n, "me"), store.publish("timmy:c", bytes("x"), "me")]) {
    expect((await caught(write)).kind).toBe("unavailable");
  }
  expect(await store.del(["timmy:old"], { agent: "me" })).toBe(1); // the way out
});

test("a value over the server's own limit", async () => {
  const store = await openBoard(open.url);
  await open.cli("config", "set", "proto-max-bulk-len", "1mb");
  onTestFinished(() => void open.cli("config", "set", "proto-max-bulk-len", "512mb"));
  const error = await caught(store.set("timmy:big", Buffer.alloc(3 << 20), plainly));
  expect(["usage", "unknown"]).toContain(error.kind); // the server cuts the line, its reason sometimes first
  expect(await store.get("timmy:big")).toBeNull();
});

test("a user without rights is told so", async () => {
  await open.cli("acl", "setuser", "guest", "on", ">hush", "~*", "&*", "+@read", "+select");
  const store = await openBoard(open.url.replace("//", "//guest:hush@"));
  const error = await caught(store.set("timmy:k", bytes("VALUE-OF-MINE"), plainly));
  expect([error.kind, error.message]).toEqual([
    "config",
    expect.stringContaining("does not allow this user"),
  ]);
});

test("a prefix inside timmy-bb's own root is refused", async () => {
  expect((await opening(open.url, { prefix: "timmy-bb" })).kind).toBe("config");
});
