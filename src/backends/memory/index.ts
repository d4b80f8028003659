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
import type { Conditional, SetResult } from "../../core/conditional.ts";
import { Later } from "../../core/later.ts";
import type { Grant, LockFacts, LockPatience, LockRequest, RefreshOptions } from "../../core/lock.ts";
import type {
  AnySelection,
  BackendStatus,
  Bytes,
  ChannelFacts,
  ConsumerFacts,
  EntryOf,
  Gap,
  KeyFacts,
  KeySelection,
  PublishResult,
  Reading,
  Taken,
} from "../../core/types.ts";
import type { Worker, WorkerOptions } from "../../core/worker.ts";
import { Board, MAX_VALUE_BYTES } from "./board.ts";
import { Channels } from "./channels.ts";
import { Consumers } from "./consumers.ts";
import type { Database } from "./database.ts";
import { Entries } from "./entries.ts";
import { Expiries } from "./expiries.ts";
import { MemoryFollower } from "./follower.ts";
import { listKeys } from "./listing.ts";
import { Locks } from "./locks.ts";
import { lastNumber } from "./log.ts";
import { openDatabase } from "./opening.ts";
import { Outbox } from "./outbox.ts";
import { statusOf } from "./status.ts";
import { takeOldest } from "./taking.ts";

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
  readonly #channels: Later<Channels>;
  readonly #expiries: Later<Expiries>;
  readonly #outbox: Later<Outbox>;
  readonly #consumers: Later<Consumers>;
  readonly #locks: Later<Locks>;
  readonly #followers = new Set<MemoryFollower>();

  constructor(db: Database, options: MemoryOptions) {
    this.#db = db;
    this.#board = new Board(db, options);
    this.#entries = new Entries(this.#board);
    this.#channels = new Later(() => new Channels(this.#board));
    this.#expiries = new Later(() => new Expiries(this.#board));
    this.#outbox = new Later(() => new Outbox(this.#board, this.#channels.it, this.#entries));
    this.#consumers = new Later(() => new Consumers(this.#board, this.#channels.it, this.#expiries.it));
    this.#locks = new Later(() => new Locks(this.#board));
  }

  async get(key: string): Promise<Buffer | null> {
    return this.#entries.get(key);
  }

  set(key: string, value: Bytes, options: SetOptions): Promise<SetResult> {
    return this.#outbox.it.set(key, value, options) ?? this.#setAlone(key, value, options);
  }

  async #setAlone(key: string, value: Bytes, options: SetOptions): Promise<SetResult> {
    return this.#entries.set(key, value, options);
  }

  async del(keys: readonly string[], options: DelOptions): Promise<number> {
    return this.#entries.del(keys, options);
  }

  async delIf(key: string, value: Bytes, agent: string): Promise<Conditional> {
    return this.#entries.delIf(key, value, agent);
  }

  async take(selection: KeySelection, agent: string): Promise<Taken | null> {
    return takeOldest(this.#board, selection, agent);
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

  async read(keys: readonly string[], mostBytes: number): Promise<ReadonlyArray<Reading | null>> {
    return this.#entries.read(keys, mostBytes);
  }

  async ttl(key: string): Promise<number | null | undefined> {
    return this.#entries.ttl(key);
  }

  async expire(key: string, ttlMs: number | null): Promise<boolean> {
    return this.#entries.setExpiry(key, ttlMs);
  }

  async expireIf(key: string, value: Bytes, ttlMs: number | null): Promise<Conditional> {
    return this.#entries.setExpiryIf(key, value, ttlMs);
  }

  async incr(key: string, by: bigint, agent: string): Promise<bigint> {
    return this.#entries.incr(key, by, agent);
  }

  publish(channel: string, payload: Bytes, agent: string): Promise<PublishResult> {
    return this.#outbox.it.publish(channel, payload, agent);
  }

  async position(): Promise<number> {
    return this.#db.read(() => lastNumber(this.#db));
  }

  follow<Of extends AnySelection>(
    selection: Of,
    { from, live, onState }: FollowOptions,
  ): Follower<EntryOf<Of> | Gap> {
    const around = { board: this.#board, channels: this.#channels.it, expiries: this.#expiries.it };
    const follower = new MemoryFollower(around, { selection, from, live, onState }, () => {
      this.#followers.delete(follower);
    });
    this.#followers.add(follower);
    return follower as Follower<EntryOf<Of> | Gap>; // what is read is what was selected
  }

  async work<Of extends AnySelection>(
    consumer: string,
    selection: Of,
    options: WorkerOptions,
  ): Promise<Worker<EntryOf<Of>>> {
    return (await this.#consumers.it.work(consumer, selection, options)) as Worker<EntryOf<Of>>;
  }

  async consumers(): Promise<readonly ConsumerFacts[]> {
    return this.#consumers.it.list();
  }

  async deleteConsumer(consumer: string): Promise<boolean> {
    return this.#consumers.it.delete(consumer);
  }

  async tryLock(lock: string, request: LockRequest): Promise<Grant | null> {
    return this.#locks.it.try(lock, request);
  }

  async awaitLock(lock: string, request: LockRequest, patience: LockPatience): Promise<Grant | null> {
    return this.#locks.it.wait(lock, request, patience);
  }

  async refreshLock(lock: string, token: string, options: RefreshOptions): Promise<Grant | null> {
    return this.#locks.it.refresh(lock, token, options);
  }

  async releaseLock(lock: string, token: string): Promise<boolean> {
    return this.#locks.it.release(lock, token);
  }

  async locks(lock: string | null): Promise<readonly LockFacts[]> {
    return this.#locks.it.list(lock);
  }

  async channels(pattern: string): Promise<readonly ChannelFacts[]> {
    return this.#channels.it.list(pattern);
  }

  async pin(): Promise<Backend> {
    return this;
  }

  /** They do anyway: each call is done, or queued in front of all that come behind it, before it returns. */
  keepOrder(): void {}

  async status(): Promise<BackendStatus> {
    return {
      store: "memory",
      why: "the memory store",
      stores: [statusOf(this.#board, this.#channels.it)],
    };
  }

  async close(): Promise<void> {
    const followers = [...this.#followers];
    this.#followers.clear();
    const closing = [
      ...followers.map((follower) => follower.letGo()),
      this.#consumers.ifMade?.close(),
      this.#locks.ifMade?.close(),
    ];
    const closed = await Promise.allSettled(closing);
    this.#db.close();
    const failed = closed.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}
