/** docs/redis-layout.md is true: its session, its arithmetic, its key table and its access rights. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import { idToNumber } from "../../src/core/ids.ts";
import { bytes, follow, openBoard, plainly, texts } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { work } from "./redis-consumer-world.ts";
import { granted, hold as holdLock, line } from "./redis-lock-world.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/redis-layout.md"), "utf8");
const ROOT = "timmy-bb:{timmy}:";
let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(() => server.cli("flushall"));
afterAll(() => server.stop());

/** The lines of the session with what each prints. */
function session(): Array<{ command: string; output: string }> {
  const block = /```console\n([\s\S]*?)```/.exec(PAGE)?.[1] ?? "";
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((step) => {
      const [command = "", ...output] = step.split("\n");
      return { command, output: output.join("\n").replace(/\n$/, "") };
    });
}

/** `timmy-bb` through the store: the command line has tests of its own. */
async function run(store: RedisStore, command: string): Promise<string> {
  const [program, verb = "", key = "", value = ""] = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? "",
  );
  const whole = `timmy:${key}`;
  if (program === "timmy-bb" && verb === "set") return store.set(whole, bytes(value), plainly).then(() => "");
  if (program === "timmy-bb" && verb === "incr") return String(await store.incr(whole, 1n, "me"));
  if (program !== "redis-cli") throw new Error(`the session has a command this test cannot run: ${command}`);
  return server.cli(...command.split(" ").slice(1));
}

test("the session prints what it says", async () => {
  const store = await openBoard(server.url);
  const steps = session();
  expect(steps.length).toBeGreaterThan(5);
  for (const { command, output } of steps)
    expect([command, await run(store, command)]).toEqual([command, output]);
});

test("the keys a board makes are those of the table, of the types it says", async () => {
  const store = await openBoard(server.url);
  await store.set("timmy:k", bytes("v"), { ...plainly, ttlMs: 60_000 });
  await store.publish("timmy:c", bytes("x"), "me");
  await (await work(store)).hold(1);
  const { fence } = await holdLock(store, "a");
  await line(server, store, "b");
  await server.cli("set", `${ROOT}cursor`, "0"); // made by one write in 64
  const rows = [...PAGE.matchAll(/^\| `<root>(\S+)` \| (string|stream|hash|sorted set) \|/gm)];
  const documented = new Map(
    rows.map(([, name = "", type = ""]) => [
      ROOT + name.replace("<channel>", "timmy:c").replace("<consumer>", "team").replace("<lock>", "l"),
      type === "sorted set" ? "zset" : type,
    ]),
  );
  const made = (await server.cli("keys", `${ROOT}*`)).split("\n").sort();
  expect(made).toEqual([...documented.keys()].sort());
  for (const key of made) expect([key, await server.cli("type", key)]).toEqual([key, documented.get(key)]);
  const fields = (await server.cli("hkeys", `${ROOT}lock:l`)).split("\n").sort();
  expect(fields).toEqual(["by", "fence", "h:a", "w:b", `f:${fence}`].sort());
});

test("what is kept of a lock is as described", async () => {
  const store = await openBoard(server.url);
  const { fence, expiresAt } = await holdLock(store, "a", { ttlMs: 50_000, pid: 7 });
  const field = (name: string) => server.cli("hget", `${ROOT}lock:l`, name);
  expect([await field("fence"), await field("by")]).toEqual([String(fence), "a@here"]);
  expect(await field("h:a")).toBe(`${fence} 50000 {"owner":"a@here","host":"here","pid":7}`);
  expect(await server.cli("get", `${ROOT}id`)).toBe(String(fence));
  expect(await server.cli("zscore", `${ROOT}holders:l`, "a")).toBe(String(expiresAt));
  const known = Number(await server.cli("zscore", `${ROOT}locks`, "l"));
  expect(known).toBe(expiresAt + 7 * 86_400_000);
  await line(server, store, "b", { slots: 1 });
  expect(await field("w:b")).toMatch(/^1 0 \d{13}$/);
  await store.releaseLock("l", "a");
  await until("it has been granted again", async () => Number(await field("fence")) > fence);
  expect(await server.cli("hexists", `${ROOT}lock:l`, `f:${fence}`)).toBe("0");
});

test("ids, fingerprints and entries are as described", async () => {
  const store = await openBoard(server.url);
  for (const size of [0, 1, 4096, 4097, 70_000]) {
    const value = Buffer.alloc(size, "0123456789");
    const result = await store.set("timmy:k", value, plainly);
    const ends = size <= 4096 ? value : Buffer.concat([value.subarray(0, 2048), value.subarray(-2048)]);
    const hex = createHash("sha1").update(ends).digest("hex").slice(0, 16);
    const [number = "", fingerprint, author] = (await server.cli("hget", `${ROOT}meta`, "timmy:k")).split(
      " ",
    );
    expect([fingerprint, author]).toEqual([`${size}-${hex}`, "me"]);
    const id = `${Math.floor(Number(number) / 1024)}-${Number(number) % 1024}`;
    expect(result).toEqual({ written: true, id });
    expect(await server.cli("get", `${ROOT}id`)).toBe(number);
    const entry = (await server.cli("xrange", `${ROOT}changes`, id, id)).split("\n");
    expect(entry[1]).toBe("before");
    expect([entry[0], ...entry.slice(3, 11)]).toEqual([
      id,
      "kind",
      "set",
      "key",
      "timmy:k",
      "by",
      "me",
      "size",
      String(size),
    ]);
    expect(entry[11]).toBe(size <= 65_536 ? "value" : undefined);
  }
  const first = await store.publish("timmy:c", bytes("x"), "me");
  const number = await server.cli("get", `${ROOT}id`);
  const { id } = await store.publish("timmy:c", bytes("y"), "you");
  const entries = (await server.cli("xrange", `${ROOT}channel:timmy:c`, "-", "+")).split("\n");
  const fields = (payload: string, by: string, before: string) => [
    "before",
    before,
    "payload",
    payload,
    "by",
    by,
  ];
  expect(entries).toEqual([first.id, ...fields("x", "me", "0"), id, ...fields("y", "you", number)]);
});

/** The store of a user who has the rights of the page, and nobody else's. */
async function asAgent(): Promise<RedisStore> {
  const rights = /^ACL SETUSER agent (.*)$/m.exec(PAGE)?.[1] ?? "";
  await server.cli("acl", "setuser", "agent", "reset", ...rights.split(" "));
  return openBoard(server.url.replace("//", "//agent:password@"), {
    history: { messagesPerChannel: 1, changes: 10, maxAgeMs: 60_000 },
  });
}

test("a user with the rights of the page can do everything, and no key of another board", async () => {
  const store = await asAgent();
  const { take, states } = await follow(store, { channels: ["timmy:c"], patterns: ["timmy:p*", "timmy:*q"] });
  await store.set("timmy:k", bytes("v"), { ...plainly, ttlMs: 60_000 });
  await store.set("timmy:k", bytes("w"), { ...plainly, condition: { if: "value", value: bytes("v") } });
  await store.incr("timmy:n", 1n, "me");
  expect(await store.expire("timmy:k", 60_000)).toBe(true);
  expect(await store.ttl("timmy:k")).toBeGreaterThan(0);
  expect(await store.exists(["timmy:k", "timmy:x"])).toBe(1);
  for (const text of ["x", "y"]) await store.publish("timmy:pq", bytes(text), "me");
  expect(texts(await take(2))).toEqual(["x", "y"]);
  await server.cli("client", "kill", "type", "pubsub");
  await until("the follower to be back", () => states.length === 2);
  const { hold, worker } = await work(store, { selection: { channels: ["timmy:pq"] }, begin: "now" });
  await store.publish("timmy:pq", bytes("z"), "me");
  const again = await worker.retry((await hold(1))[0] ?? expect.unreachable());
  expect(await worker.giveUp(again ?? expect.unreachable(), "bad")).toBe(true);
  expect((await store.consumers())[0]?.channels).toMatchObject([{ pending: 0 }]);
  await worker.close();
  expect(await store.deleteConsumer("team")).toBe(true);
  expect(await store.describe(["timmy:k"])).toMatchObject([{ by: "me", size: 1 }]);
  expect(await store.channels("timmy:*")).toHaveLength(3);
  expect((await store.status()).stores[0]?.keys).toBe(2);
  await holdLock(store, "a");
  const next = await line(server, store, "b");
  expect(await store.refreshLock("l", "a", { ttlMs: null, withinMs: 1000 })).not.toBeNull();
  expect(await store.releaseLock("l", "a")).toBe(true);
  const fence = { lock: "l", fence: (await granted(next.grant)).fence };
  expect(await store.set("timmy:job", bytes("v"), { ...plainly, fence })).toMatchObject({ written: true });
  expect(await store.locks(null)).toHaveLength(1);
  expect(await store.expireIf("timmy:job", bytes("v"), 60_000)).toEqual({ done: true });
  expect(await store.delIf("timmy:job", bytes("x"), "me")).toMatchObject({ done: false });
  expect(await store.take({ keys: [], patterns: ["timmy:j*"] }, "me")).toMatchObject({ key: "timmy:job" });
  expect((await store.get("timmy:k"))?.toString()).toBe("w");
  for await (const batch of store.keys("timmy:*")) expect(await store.del(batch, { agent: "me" })).toBe(2);
  for (const forbidden of [store.get("other:k"), store.set("other:k", bytes("x"), plainly)]) {
    await expect(forbidden).rejects.toMatchObject({ kind: "config" });
  }
});

test.each([
  "flushall",
  "flushdb",
  "swapdb 0 1",
  "keys *",
  "config get *",
  "debug sleep 0",
  "script flush",
  "client kill type normal",
  "acl list",
  "shutdown",
])("and is refused %s", async (command) => {
  await asAgent();
  const login = ["--user", "agent", "--pass", "password", "--no-auth-warning"];
  expect(await server.cli(...login, ...command.split(" "))).toMatch(/^NOPERM|^ERR DEBUG command not allowed/);
});

test("what is asked at once is done in that order, by a server that does not know the scripts yet", async () => {
  for (let round = 0; round < 5; round++) {
    await server.cli("script", "flush");
    const store = await openBoard(server.url);
    const publishing = Array.from({ length: 300 }, (_, index) =>
      store.publish("timmy:c", bytes(String(index)), "me"),
    );
    const ids = (await Promise.all(publishing)).map(({ id }) => idToNumber(id) ?? 0);
    expect(ids).toEqual([...ids].sort((left, right) => left - right));
  }
});

test("the log of a channel that is never silent does not expire, and loses only what is too old", async () => {
  const history = { messagesPerChannel: 100_000, changes: 10, maxAgeMs: 500 };
  const store = await openBoard(server.url, { history });
  const stream = `${ROOT}channel:timmy:c`;
  const end = performance.now() + 4 * history.maxAgeMs;
  const sent: { id: string; at: number }[] = [];
  while (performance.now() < end) {
    for (let count = 0; count < 20; count++) {
      sent.push({ id: (await store.publish("timmy:c", bytes("x"), "me")).id, at: performance.now() });
    }
    // Set anew each second, to a second more than the age; redis-cli itself takes a while to start.
    expect(Number(await server.cli("pttl", stream))).toBeGreaterThanOrEqual(200);
  }
  const young = sent.filter(({ at }) => at > performance.now() - history.maxAgeMs).length;
  const length = Number(await server.cli("xlen", stream));
  expect(length).toBeGreaterThanOrEqual(young);
  expect(length).toBeLessThan(sent.length);
});

test("a user without the right to the channels changes nothing", async () => {
  await server.cli("acl", "setuser", "mute", "reset", "on", ">secret", "~*", "&nothing", "+@all");
  const store = await openBoard(server.url.replace("redis://", "redis://mute:secret@"));
  const publishing = store.publish("timmy:c", bytes("x"), "me");
  await expect(publishing).rejects.toMatchObject({ kind: "config" });
  expect(await server.cli("exists", `${ROOT}channel:timmy:c`, `${ROOT}channels`)).toBe("0");
});
