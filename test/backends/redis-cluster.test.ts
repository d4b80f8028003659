/** Redis Cluster: a board lives in one slot, and is found on whichever node has it. */
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { UnreachableError } from "../../src/backends/redis/index.ts";
import { bytes, follow, openBoard, plainly, texts } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";

const CLUSTER = ["--cluster-enabled", "yes"];

async function node(): Promise<RedisServer> {
  const node = await RedisServer.start({ settings: CLUSTER });
  onTestFinished(() => node.stop());
  return node;
}

async function whole(...servers: RedisServer[]): Promise<void> {
  for (const server of servers) {
    await until("the cluster to be up", async () =>
      (await server.cli("cluster", "info")).includes("cluster_state:ok"),
    );
  }
}

/** One node with every slot; it takes a cluster 2 s to be sure of itself. */
let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start({ settings: CLUSTER });
  await server.cli("cluster", "addslotsrange", "0", "16383");
  await whole(server);
});
afterAll(() => server.stop());

test("a prefix without a hash tag is refused, and the error says what to do", async () => {
  const opening = openBoard(server.url);
  await expect(opening).rejects.not.toBeInstanceOf(UnreachableError);
  await expect(opening).rejects.toMatchObject({
    kind: "config",
    message: expect.stringContaining("is a cluster"),
    hint: expect.stringContaining("{timmy}"),
  });
});

test("another database than 0 is refused", async () => {
  await expect(openBoard(`${server.url}/1`, { prefix: "{timmy}" })).rejects.toMatchObject({ kind: "config" });
});

test("with a hash tag everything works, in one slot", async () => {
  const store = await openBoard(server.url, { prefix: "{timmy}" });
  const { take } = await follow(store, { channels: ["{timmy}:c"] });
  await store.set("{timmy}:k", bytes("v"), { ...plainly, ttlMs: 60_000 });
  await store.incr("{timmy}:n", 1n, "me");
  await store.publish("{timmy}:c", bytes("x"), "me");
  expect(texts(await take(1))).toEqual(["x"]);
  expect(await store.describe(["{timmy}:k", "{timmy}:n"])).toMatchObject([{ by: "me" }, { by: "me" }]);
  expect(await store.del(["{timmy}:k", "{timmy}:n", "{timmy}:x"], { agent: "me" })).toBe(2);
  const slot = await server.cli("cluster", "keyslot", "{timmy}");
  const kept = (await server.cli("keys", "*")).split("\n");
  for (const key of kept) expect(await server.cli("cluster", "keyslot", key)).toBe(slot);
  expect(await server.cli("cluster", "countkeysinslot", slot)).toBe(String(kept.length));
});

test("a board that another node has is found there, and again when it moves", async () => {
  const [left, right] = await Promise.all([node(), node()]);
  await left.cli("cluster", "addslotsrange", "0", "8191");
  await right.cli("cluster", "addslotsrange", "8192", "16383");
  await left.cli("cluster", "meet", "127.0.0.1", String(right.port));
  await whole(left, right);
  const prefix = "{timmy}";
  const slot = await left.cli("cluster", "keyslot", prefix);
  const [owner, other] = Number(slot) < 8192 ? [left, right] : [right, left];
  const store = await openBoard(other.url, { prefix });
  const { take, states } = await follow(store, { channels: [`${prefix}:c`] });
  await store.set(`${prefix}:k`, bytes("v"), plainly);
  await store.publish(`${prefix}:c`, bytes("before"), "me");
  expect(await owner.cli("get", `${prefix}:k`)).toBe("v");
  expect(texts(await take(1))).toEqual(["before"]);
  const names: string[] = [];
  for await (const batch of store.keys(`${prefix}:*`)) names.push(...batch);
  expect(names).toEqual([`${prefix}:k`]);

  await move(Number(slot), owner, other);
  await store.set(`${prefix}:k`, bytes("w"), plainly);
  expect(await other.cli("get", `${prefix}:k`)).toBe("w");
  await store.publish(`${prefix}:c`, bytes("after"), "me");
  expect(texts(await take(1))).toEqual(["after"]);
  expect(states).toEqual([]);
});

/** Hands a slot and its keys from one node to another, as `redis-cli --cluster reshard` does. */
async function move(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
  const [fromId, toId] = await Promise.all([from.cli("cluster", "myid"), to.cli("cluster", "myid")]);
  await to.cli("cluster", "setslot", String(slot), "importing", fromId);
  await from.cli("cluster", "setslot", String(slot), "migrating", toId);
  const keys = (await from.cli("cluster", "getkeysinslot", String(slot), "1000")).split("\n");
  await from.cli("migrate", "127.0.0.1", String(to.port), "", "0", "5000", "keys", ...keys);
  for (const node of [to, from]) await node.cli("cluster", "setslot", String(slot), "node", toId);
}
