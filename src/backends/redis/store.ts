/** The redis store: the contract of `core/backend.ts` on a Redis or Valkey server. */
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
import { usageError } from "../../core/errors.ts";
import { numberToId } from "../../core/ids.ts";
import type { Grant, LockFacts, LockPatience, LockRequest, RefreshOptions } from "../../core/lock.ts";
import type { RedisAddress } from "../../core/redis-url.ts";
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
  TtlMs,
} from "../../core/types.ts";
import type { Worker, WorkerOptions } from "../../core/worker.ts";
import { BoardScripts } from "./board-scripts.ts";
import { countRepeats, listChannels } from "./channels.ts";
import { deleteKeys } from "./deletion.ts";
import { Followers } from "./followers.ts";
import { toConditional, toSetResult } from "./key-facts.ts";
import { scanKeys } from "./keys.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { Link } from "./link.ts";
import { Locks } from "./locks.ts";
import { takeOldest } from "./oldest.ts";
import { Reads } from "./reads.ts";
import { DELETE_IF } from "./removal-scripts.ts";
import { asBytes, asList, asNumber, asText } from "./replies.ts";
import { EXPIRE, INCREMENT, PUBLISH, SET } from "./scripts.ts";
import { readStatus } from "./status.ts";
import { Workers } from "./workers.ts";

export interface RedisOptions extends BoardSettings {
  /** With the password already in it. */
  readonly address: RedisAddress;
}

/** Redis's own limit of a string. */
const MAX_VALUE_BYTES = 512 * 1024 * 1024;

export class RedisStore implements Backend {
  readonly capabilities: Capabilities = { maxValueBytes: MAX_VALUE_BYTES, foreignClients: true };
  readonly #options: RedisOptions;
  readonly #layout: Layout;
  readonly #link: Link;
  readonly #scripts: BoardScripts;
  readonly #reads: Reads;
  readonly #locks: Locks;
  readonly #followers: Followers;
  readonly #workers: Workers;

  /** Connects at the first operation, or by `connect`. */
  constructor(options: RedisOptions) {
    const { address, timeoutMs, history } = options;
    this.#options = options;
    this.#layout = layoutOf(options.prefix);
    this.#link = new Link({ address, layout: this.#layout, timeoutMs });
    this.#scripts = new BoardScripts(this.#link, this.#layout, { database: address.db, history });
    const place = { ...options, layout: this.#layout, link: this.#link };
    this.#reads = new Reads(this.#link, this.#scripts);
    this.#locks = new Locks(place, this.#scripts);
    this.#followers = new Followers(place, this.#scripts);
    this.#workers = new Workers(place, this.#scripts);
  }

  /**
   * Makes sure that the server is there, and connects again if the connection was lost. What that takes is taken off the
   * time of the next operation, so that both together end within the store's bound.
   * @throws UnreachableError if nobody answers within the given milliseconds; other kinds if somebody refuses
   */
  async connect(withinMs: number): Promise<void> {
    await this.#link.open(withinMs);
  }

  async get(key: string): Promise<Buffer | null> {
    const value = await this.#link.command("read", "get", key);
    return value === null ? null : asBytes(value);
  }

  async set(key: string, value: Bytes, options: SetOptions): Promise<SetResult> {
    checkSize("value", value);
    const { condition, fence, agent } = options;
    const expected = condition?.if === "value" ? condition.value : "";
    const under = fence === null ? [] : [fence.lock, fence.fence];
    const args = [value, lifetime(options.ttlMs), condition?.if ?? "", expected, ...under];
    return toSetResult(await this.#scripts.book(SET, { effect: "write", agent, keys: [key], args }));
  }

  del(keys: readonly string[], options: DelOptions): Promise<number> {
    return deleteKeys(this.#scripts, keys, options, this.#link.deadline());
  }

  async delIf(key: string, value: Bytes, agent: string): Promise<Conditional> {
    const run = { effect: "write", agent, keys: [key], args: [value] } as const;
    return toConditional(await this.#scripts.book(DELETE_IF, run));
  }

  take(selection: KeySelection, agent: string): Promise<Taken | null> {
    return takeOldest({ link: this.#link, layout: this.#layout, scripts: this.#scripts }, selection, agent);
  }

  exists(keys: readonly string[]): Promise<number> {
    return this.#reads.exists(keys);
  }

  keys(pattern: string): AsyncIterable<readonly string[]> {
    return scanKeys(this.#link, pattern);
  }

  describe(keys: readonly string[]): Promise<ReadonlyArray<KeyFacts | null>> {
    return this.#reads.describe(keys);
  }

  read(keys: readonly string[], mostBytes: number): Promise<ReadonlyArray<Reading | null>> {
    return this.#reads.read(keys, Math.min(mostBytes, MAX_VALUE_BYTES));
  }

  async ttl(key: string): Promise<number | null | undefined> {
    const left = asNumber(await this.#link.command("read", "pttl", key));
    if (left === -2) return undefined;
    return left === -1 ? null : Math.max(left, 1);
  }

  async expire(key: string, ttlMs: number | null): Promise<boolean> {
    return (await this.#expire(key, ttlMs)).done;
  }

  expireIf(key: string, value: Bytes, ttlMs: number | null): Promise<Conditional> {
    return this.#expire(key, ttlMs, value);
  }

  async incr(key: string, by: bigint, agent: string): Promise<bigint> {
    const args = [by.toString()];
    return BigInt(asText(await this.#scripts.book(INCREMENT, { effect: "write", agent, keys: [key], args })));
  }

  async publish(channel: string, payload: Bytes, agent: string): Promise<PublishResult> {
    checkSize("payload", payload);
    const run = { effect: "write", agent, args: [channel, payload] } as const;
    return this.#link.run("write", async (connection) => {
      const reply = asList(await this.#scripts.bookOn(connection, PUBLISH, run));
      const twice = asNumber(reply[2]) === 0 ? 0 : await countRepeats(connection, this.#layout, channel);
      return { receivers: Math.max(asNumber(reply[0]) - twice, 0), id: numberToId(asNumber(reply[1])) };
    });
  }

  async position(): Promise<number> {
    return asNumber((await this.#link.command("read", "get", this.#layout.id)) ?? 0);
  }

  follow<Of extends AnySelection>(selection: Of, options: FollowOptions): Follower<EntryOf<Of> | Gap> {
    return this.#followers.follow(selection, { ...options, patient: false });
  }

  /** The same, but a server that is away at the start is waited for, instead of failing `ready`. */
  followPatiently<Of extends AnySelection>(
    selection: Of,
    options: FollowOptions,
  ): Follower<EntryOf<Of> | Gap> {
    return this.#followers.follow(selection, { ...options, patient: true });
  }

  work<Of extends AnySelection>(
    consumer: string,
    selection: Of,
    options: WorkerOptions,
  ): Promise<Worker<EntryOf<Of>>> {
    return this.#workers.join(consumer, selection, options);
  }

  consumers(): Promise<readonly ConsumerFacts[]> {
    return this.#workers.list();
  }

  deleteConsumer(consumer: string): Promise<boolean> {
    return this.#workers.forget(consumer);
  }

  tryLock(lock: string, request: LockRequest): Promise<Grant | null> {
    return this.#locks.try(lock, request);
  }

  awaitLock(lock: string, request: LockRequest, patience: LockPatience): Promise<Grant | null> {
    return this.#locks.await(lock, request, patience);
  }

  refreshLock(lock: string, token: string, options: RefreshOptions): Promise<Grant | null> {
    return this.#locks.refresh(lock, token, options);
  }

  releaseLock(lock: string, token: string): Promise<boolean> {
    return this.#locks.release(lock, token);
  }

  locks(lock: string | null): Promise<readonly LockFacts[]> {
    return this.#locks.list(lock);
  }

  channels(pattern: string): Promise<readonly ChannelFacts[]> {
    return listChannels(this.#link, this.#layout, this.#options.history.maxAgeMs, pattern);
  }

  async status(): Promise<BackendStatus> {
    const store = await readStatus(this.#link, this.#layout, this.#options);
    return { store: "redis", why: "the backend is redis", stores: [store] };
  }

  async pin(): Promise<Backend> {
    return this;
  }

  async close(): Promise<void> {
    this.#workers.close();
    this.#locks.close();
    await this.#followers.close();
    this.#link.close();
  }

  async #expire(key: string, ttlMs: number | null, ...expected: readonly Bytes[]): Promise<Conditional> {
    const args = [lifetime(ttlMs), ...expected];
    return toConditional(await this.#scripts.book(EXPIRE, { effect: "write", keys: [key], args }));
  }
}

/** As the scripts read it. */
function lifetime(ttlMs: TtlMs): string {
  return ttlMs === null ? "none" : String(ttlMs);
}

function checkSize(what: string, bytes: Bytes): void {
  if (bytes.length <= MAX_VALUE_BYTES) return;
  throw usageError(`the ${what} is ${bytes.length} bytes long; the limit is ${MAX_VALUE_BYTES}`);
}
