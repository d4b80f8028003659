/** The facts of the server and of the board on it. */
import type { RedisAddress } from "../../core/redis-url.ts";
import type { StoreStatus } from "../../core/types.ts";
import { countFollowers, listChannels } from "./channels.ts";
import type { Connection } from "./connection.ts";
import type { Deadline } from "./deadline.ts";
import { scanSteps } from "./keys.ts";
import { foreignChanges } from "./keyspace-events.ts";
import type { Layout } from "./layout.ts";
import type { Link } from "./link.ts";
import { countLocks } from "./lock-facts.ts";
import { asText } from "./replies.ts";

interface StatusOptions {
  readonly address: RedisAddress;
  readonly history: { readonly maxAgeMs: number };
}

export async function readStatus(link: Link, layout: Layout, options: StatusOptions): Promise<StoreStatus> {
  const deadline = link.deadline();
  await link.connect(deadline); // so that the latency is that of a round trip alone
  const latencyMs = await measureLatency(link, deadline);
  const info = await link.run("read", readInfo, deadline);
  const listed = await listChannels(link, layout, options.history.maxAgeMs, layout.all, deadline);
  const channels = listed.filter((one) => one.messages > 0);
  const followers = await link.run("read", (connection) => countFollowers(connection, layout), deadline);
  const locks = await link.run("read", (connection) => countLocks(connection, layout), deadline);
  const foreign_changes = await foreignChanges(link, deadline);
  const keys = await countKeys(link, layout.all, deadline);
  return {
    store: "redis",
    place: options.address.shown,
    latencyMs,
    keys: keys.count,
    messages: channels.reduce((sum, one) => sum + one.messages, 0),
    channels: channels.length,
    followers,
    locks,
    unsynced: 0,
    facts: {
      ...serverFacts(info, options.address.db),
      foreign_changes,
      ...(keys.complete ? {} : { keys_counted: "not all: too many" }),
    },
  };
}

async function measureLatency(link: Link, deadline: Deadline): Promise<number> {
  const start = performance.now();
  await link.run("read", (connection) => connection.call("ping"), deadline);
  return performance.now() - start;
}

/** Counting stops at half of the time left: a status that says "at least" is better than none. */
async function countKeys(
  link: Link,
  pattern: string,
  deadline: Deadline,
): Promise<{ count: number; complete: boolean }> {
  const stopAt = deadline.leftMs / 2;
  let count = 0;
  for await (const batch of scanSteps(link, pattern, { deadline })) {
    count += batch.length;
    if (deadline.leftMs < stopAt) return { count, complete: false };
  }
  return { count, complete: true };
}

/** What a Redis `INFO` says, by name. */
async function readInfo(connection: Connection): Promise<ReadonlyMap<string, string>> {
  const lines = asText(await connection.call("info")).split("\r\n");
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

function serverFacts(info: ReadonlyMap<string, string>, db: number): Record<string, string | number> {
  const valkey = info.get("valkey_version");
  return {
    server: valkey === undefined ? `redis ${info.get("redis_version") ?? "?"}` : `valkey ${valkey}`,
    memory_bytes: Number(info.get("used_memory") ?? 0),
    append_only_file: info.get("aof_enabled") === "1" ? "on" : "off",
    role: info.get("role") ?? "?",
    clients: Number(info.get("connected_clients") ?? 0),
    db,
  };
}
