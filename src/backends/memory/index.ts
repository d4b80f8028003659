/** The memory store: one SQLite file shared by any number of processes of a machine, no server. */
import type {
  Backend,
  BoardSettings,
  Capabilities,
  DelOptions,
  Follower,
  FollowOptions,
  SetOptions,
} from "../../core/backend.ts";
import type {
  BackendStatus,
  Bytes,
  ChannelFacts,
  ConsumerFacts,
  Gap,
  KeyFacts,
  Message,
  PublishResult,
  Selection,
  SetResult,
} from "../../core/types.ts";
import type { Worker, WorkerOptions } from "../../core/worker.ts";
import { Board, MAX_VALUE_BYTES } from "./board.ts";
import { Channels } from "./channels.ts";
import { Consumers } from "./consumers.ts";
import { type Database, openDatabase } from "./database.ts";
import { Entries } from "./entries.ts";
import { MemoryFollower } from "./follower.ts";
import { listKeys } from "./listing.ts";
import { Outbox } from "./outbox.ts";
import { Registry } from "./registry.ts";
import { statusOf } from "./status.ts";

/** Where the board file is and how it is used. */
export interface MemoryOptions extends BoardSettings {
  /** Absolute path of board.db. */
  readonly path: string;
  readonly durability: "normal" | "full";
  /** Writes are flagged as made while redis was away (set by the auto store's fallback). */
  readonly flagUnsynced: boolean;
}

/** Opens the board file; makes it, and its directory, where they are missing. @throws BlackboardError */
export async function openMemory(options: MemoryOptions): Promise<Backend> {
  return new MemoryBackend(await openDatabase(options), options);
}

/** Every call is one short piece of synchronous work; the promises are the contract's. */
class MemoryBackend implements Backend {
  readonly capabilities: Capabilities = { maxValueBytes: MAX_VALUE_BYTES, foreignClients: false };
  readonly #db: Database;
  readonly #board: Board;
  readonly #entries: Entries;
  readonly #registry: Registry;
  readonly #channels: Channels;
  readonly #outbox: Outbox;
  readonly #consumers: Consumers;
  readonly #followers = new Set<MemoryFollower>();

  constructor(db: Database, options: MemoryOptions) {
    this.#db = db;
    this.#board = new Board(db, options);
    this.#entries = new Entries(this.#board);
    this.#registry = new Registry(db, options.prefix);
    this.#channels = new Channels(this.#board, this.#registry);
    this.#outbox = new Outbox(this.#board, this.#channels);
    this.#consumers = new Consumers(this.#board, this.#channels, this.#registry);
  }

  async get(key: string): Promise<Buffer | null> {
    return this.#entries.get(key);
  }

  async set(key: string, value: Bytes, options: SetOptions): Promise<SetResult> {
    return this.#entries.set(key, value, options);
  }

  async del(keys: readonly string[], options: DelOptions): Promise<number> {
    return this.#entries.del(keys, options);
  }

  async exists(keys: readonly string[]): Promise<number> {
    return this.#entries.exists(keys);
  }

  keys(pattern: string): AsyncIterable<readonly string[]> {
    return listKeys(this.#db, pattern);
  }

  async describe(keys: readonly string[]): Promise<ReadonlyArray<KeyFacts | null>> {
    return this.#entries.describe(keys);
  }

  async ttl(key: string): Promise<number | null | undefined> {
    return this.#entries.ttl(key);
  }

  async expire(key: string, ttlMs: number | null): Promise<boolean> {
    return this.#entries.setExpiry(key, ttlMs);
  }

  async incr(key: string, by: bigint, agent: string): Promise<bigint> {
    return this.#entries.incr(key, by, agent);
  }

  async publish(channel: string, payload: Bytes, agent: string): Promise<PublishResult> {
    return this.#outbox.publish(channel, payload, agent);
  }

  follow(selection: Selection, { from, live, onState }: FollowOptions): Follower<Message | Gap> {
    const around = { board: this.#board, registry: this.#registry, channels: this.#channels };
    const follower = new MemoryFollower(around, { selection, from, live, onState }, () => {
      this.#followers.delete(follower);
    });
    this.#followers.add(follower);
    return follower;
  }

  async work(consumer: string, selection: Selection, options: WorkerOptions): Promise<Worker> {
    return this.#consumers.work(consumer, selection, options);
  }

  async consumers(): Promise<readonly ConsumerFacts[]> {
    return this.#consumers.list();
  }

  async deleteConsumer(consumer: string): Promise<boolean> {
    return this.#consumers.delete(consumer);
  }

  async channels(pattern: string): Promise<readonly ChannelFacts[]> {
    return this.#channels.list(pattern);
  }

  async pin(): Promise<Backend> {
    return this;
  }

  async status(): Promise<BackendStatus> {
    return {
      store: "memory",
      why: "the memory store",
      stores: [statusOf(this.#board, this.#channels, this.#registry)],
    };
  }

  async close(): Promise<void> {
    const followers = [...this.#followers];
    this.#followers.clear();
    const closing = [...followers.map((follower) => follower.letGo()), this.#consumers.close()];
    const closed = await Promise.allSettled(closing);
    this.#db.close();
    const failed = closed.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}
