/** Following keys where the server refuses something, fails over, or loses connections at a bad moment. */
import { expect, test } from "vitest";
import { bytes, openBoard, plainly } from "../helpers/redis-board.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { set, watch } from "./redis-watch-world.ts";
import { start } from "./redis-world.ts";

/** A client with these rights on the board. */
async function openAs(server: RedisServer, ...rights: readonly string[]) {
  await server.cli("acl", "setuser", "agent", "reset", "on", ">password", "~timmy*", ...rights);
  return openBoard(server.url.replace("//", "//agent:password@"));
}

test("connections of both kinds killed again and again, also while a session begins: it goes on, and misses nothing", async () => {
  const server = await start();
  const writer = await openBoard(server.url);
  const own = new Set((await server.cli("client", "list")).match(/\bid=\d+/g));
  const store = await openBoard(server.url);
  const { wordsUpTo, states } = await watch(store, { patterns: ["k*"] });
  const taken = wordsUpTo("k-end");
  const written: string[] = [];
  for (let at = 0; at < 120; at++) {
    await set(writer, `k${at % 7}`, String(at));
    written.push(`set k${at % 7} ${at} me`);
    const others =
      (await server.cli("client", "list")).match(/\bid=\d+/g)?.filter((id) => !own.has(id)) ?? [];
    if (at % 3 === 0) for (const id of others) await server.cli("client", "kill", "id", id.slice(3));
  }
  await set(writer, "k-end", "");
  expect(await taken).toEqual(written);
  expect(states.some(({ state }) => state === "back")).toBe(true);
});

test("a primary that becomes a replica: what the new primary does is still heard", async () => {
  const settings = ["--repl-diskless-sync-delay", "0"];
  const old = await start({ settings });
  const next = await start({ settings });
  const watcher = await openBoard(old.url);
  const { words } = await watch(watcher, { keys: ["k"] });
  await set(watcher, "k", "1");
  expect(await words(1)).toEqual(["set k 1 me"]);
  await old.cli("replicaof", "127.0.0.1", String(next.port));
  await until("them to be joined", async () =>
    (await old.cli("info", "replication")).includes("link_status:up"),
  );
  const writer = await openBoard(next.url);
  await set(writer, "k", "2");
  await writer.del(["timmy:k"], { agent: "me" });
  expect(await words(2)).toEqual(["set k me", "del k me"]); // without the value: nobody was seen to follow
  expect((await watcher.read(["timmy:k"], 100))[0]).toBe(null);
});

test("who may not write can watch all the same, foreign expiries included", async () => {
  const server = await start();
  const store = await openAs(
    server,
    "&*",
    "-@all",
    "+@connection",
    "+@read",
    "+@pubsub",
    "+evalsha",
    "+eval",
    "+time",
  );
  const { words, states } = await watch(store, { keys: ["k"] });
  await until("it to be said", () => states.some(({ state }) => state === "partial"));
  await server.cli("set", "timmy:k", "x", "px", "30");
  await until("it to be gone", async () => (await server.cli("exists", "timmy:k")) === "0");
  expect(await words(2)).toEqual(["set k ?", "expired k ?"]);
});

test("who may not publish may not write, and leaves nothing half done", async () => {
  const server = await start();
  const store = await openBoard(server.url);
  const mute = await openAs(server, "resetchannels", "+@all");
  await set(store, "k", "1", 20);
  await until("it to be gone", async () => (await server.cli("exists", "timmy:k")) === "0");
  for (let at = 0; at < 3; at++) {
    await expect(mute.set("timmy:other", bytes("x"), plainly)).rejects.toMatchObject({ kind: "config" });
  }
  await set(store, "k", "2");
  const { words } = await watch(store, { patterns: ["*"] }, { from: { last: Infinity }, live: false });
  expect((await words(99)).filter((word) => word.startsWith("expired")).length).toBeLessThanOrEqual(1);
  expect(await server.cli("exists", "timmy:other")).toBe("0");
});

test("too few replicas for a moment: expiries are logged once that is over", async () => {
  const server = await start({ settings: ["--notify-keyspace-events", ""] });
  const store = await openBoard(server.url);
  await set(store, "k", "1", 1500);
  await server.cli("config", "set", "min-replicas-to-write", "1");
  const { words, states } = await watch(store, { keys: ["k"] });
  await until("it to be said", () => states.some(({ state }) => state === "partial"));
  await server.cli("config", "set", "min-replicas-to-write", "0");
  expect(await words(1)).toEqual(["expired k -"]);
});
