/** docs/redis-layout.md is true: its session, its arithmetic, its key table and its access rights. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import { bytes, follow, openBoard, plainly, texts } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";

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
  await server.cli("set", `${ROOT}cursor`, "0"); // made by one write in 64
  const rows = [...PAGE.matchAll(/^\| `<root>(\S+)` \| (string|stream|hash|sorted set) \|/gm)];
  const documented = new Map(
    rows.map(([, name = "", type = ""]) => [
      ROOT + name.replace("<channel>", "timmy:c"),
      type === "sorted set" ? "zset" : type,
    ]),
  );
  const made = (await server.cli("keys", `${ROOT}*`)).split("\n").sort();
  expect(made).toEqual([...documented.keys()].sort());
  for (const key of made) expect([key, await server.cli("type", key)]).toEqual([key, documented.get(key)]);
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
    expect(entry.slice(0, 9)).toEqual([
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
    expect(entry[9]).toBe(size <= 65_536 ? "value" : undefined);
  }
});

test("a user with the rights of the page can do everything, and no key of another board", async () => {
  const rights = /^ACL SETUSER agent (.*)$/m.exec(PAGE)?.[1] ?? "";
  await server.cli("acl", "setuser", "agent", ...rights.split(" "));
  const store = await openBoard(server.url.replace("//", "//agent:password@"));
  const { take } = await follow(store, { channels: ["timmy:c"], patterns: ["timmy:p*"] });
  await store.set("timmy:k", bytes("v"), { ...plainly, ttlMs: 60_000 });
  await store.incr("timmy:n", 1n, "me");
  await store.expire("timmy:k", null);
  await store.publish("timmy:pc", bytes("x"), "me");
  expect(texts(await take(1))).toEqual(["x"]);
  expect(await store.describe(["timmy:k"])).toMatchObject([{ by: "me", size: 1 }]);
  expect(await store.channels("timmy:*")).toHaveLength(2);
  expect((await store.status()).stores[0]?.keys).toBe(2);
  for await (const batch of store.keys("timmy:*")) expect(await store.del(batch, { agent: "me" })).toBe(2);
  for (const forbidden of [store.get("other:k"), store.set("other:k", bytes("x"), plainly)]) {
    await expect(forbidden).rejects.toMatchObject({ kind: "config" });
  }
});
