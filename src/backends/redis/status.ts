/** The facts of the server and of the board on it. */
import { escapeGlob } from "../../core/glob.ts";
import type { RedisAddress } from "../../core/redis-url.ts";
import type { StoreStatus } from "../../core/types.ts";
import { countFollowers, listChannels } from "./channels.ts";
import type { Connection } from "./connection.ts";
import { scanSteps } from "./keys.ts";
import type { Layout } from "./layout.ts";
import type { Link } from "./link.ts";
import { asText } from "./replies.ts";

interface StatusOptions {
  readonly address: RedisAddress;
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly history: { readonly maxAgeMs: number };
}

export async function readStatus(link: Link, layout: Layout, options: StatusOptions): Promise<StoreStatus> {
  const deadline = link.deadline();
  await link.connect(deadline.leftMs); // so that the latency is that of a round trip alone
  const latencyMs = await measureLatency(link);
  const info = await link.run("read", readInfo, deadline);
  const all = options.prefix === "" ? "*" : `${escapeGlob(options.prefix)}:*`;
  const channels = (await listChannels(link, layout, options.history.maxAgeMs, all)).filter(
    (one) => one.messages > 0,
  );
  const followers = await link.run("read", (connection) => countFollowers(connection, layout), deadline);
  const keys = await countKeys(link, all, deadline.leftMs / 2);
  return {
    store: "redis",
    place: options.address.shown,
    latencyMs,
    keys: keys.count,
    messages: channels.reduce((sum, one) => sum + one.messages, 0),
    channels: channels.length,
    followers,
    unsynced: 0,
    facts: {
      ...serverFacts(info, options.address.db),
      ...(keys.complete ? {} : { keys_counted: "not all: too many" }),
    },
  };
}

async function measureLatency(link: Link): Promise<number> {
  const start = performance.now();
  await link.command("read", "ping");
  return performance.now() - start;
}

/** Counting stops in time: a status that says "at least" is better than none. */
async function countKeys(
  link: Link,
  pattern: string,
  withinMs: number,
): Promise<{ count: number; complete: boolean }> {
  const end = performance.now() + withinMs;
  let count = 0;
  for await (const batch of scanSteps(link, pattern)) {
    count += batch.length;
    if (performance.now() > end) return { count, complete: false };
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
