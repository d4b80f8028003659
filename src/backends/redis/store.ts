/** The redis store: the contract of `core/backend.ts` on a Redis or Valkey server. */
import type {
  Backend,
  BoardSettings,
  Capabilities,
  DelOptions,
  Follower,
  FollowOptions,
  KeysOptions,
  SetOptions,
} from "../../core/backend.ts";
import type { Conditional, SetResult } from "../../core/conditional.ts";
import { Later } from "../../core/later.ts";
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
} from "../../core/types.ts";
import type { Worker, WorkerOptions } from "../../core/worker.ts";
import { BoardScripts } from "./board-scripts.ts";
import { listChannels } from "./channels.ts";
import { deleteKeys } from "./deletion.ts";
import { Followers } from "./followers.ts";
import { GroupingLink } from "./grouping-link.ts";
import { toConditional } from "./key-facts.ts";
import { listKeys } from "./keys.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { Locks } from "./locks.ts";
import { takeOldest } from "./oldest.ts";
import { Reads } from "./reads.ts";
import { DELETE_IF } from "./removal-scripts.ts";
import { asBytes, asNumber, asText } from "./replies.ts";
import { EXPIRE, INCREMENT } from "./scripts.ts";
import { readStatus } from "./status.ts";
import { Workers } from "./workers.ts";
import { lifetime, MAX_VALUE_BYTES, Writes } from "./writes.ts";

export interface RedisOptions extends BoardSettings {
  /** With the password already in it. */
  readonly address: RedisAddress;
}

export class RedisStore implements Backend {
  readonly capabilities: Capabilities = { maxValueBytes: MAX_VALUE_BYTES, foreignClients: true };
  readonly #options: RedisOptions;
  readonly #layout: Layout;
  readonly #link: GroupingLink;
  readonly #scripts: BoardScripts;
  readonly #reads: Reads;
  readonly #writes: Writes;
  readonly #locks: Later<Locks>;
  readonly #followers: Later<Followers>;
  readonly #workers: Later<Workers>;

  /** Connects at the first operation, or by `connect`. */
  constructor(options: RedisOptions) {
    const { address, timeoutMs, history } = options;
    this.#options = options;
    this.#layout = layoutOf(options.prefix);
    this.#link = new GroupingLink({ address, layout: this.#layout, timeoutMs });
    this.#scripts = new BoardScripts(this.#link, this.#layout, { database: address.db, history });
    const place = { ...options, layout: this.#layout, link: this.#link };
    this.#reads = new Reads(this.#link, this.#scripts);
    this.#writes = new Writes({ ...place, scripts: this.#scripts, shown: address.shown });
    this.#locks = new Later(() => new Locks(place, this.#scripts));
    this.#followers = new Later(() => new Followers(place, this.#scripts));
    this.#workers = new Later(() => new Workers(place, this.#scripts));
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

  set(key: string, value: Bytes, options: SetOptions): Promise<SetResult> {
    return this.#writes.set(key, value, options);
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

  keys(pattern: string, options: KeysOptions = {}): AsyncIterable<readonly string[]> {
    return listKeys(this.#link, this.#layout, pattern, options);
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

  publish(channel: string, payload: Bytes, agent: string): Promise<PublishResult> {
    return this.#writes.publish(channel, payload, agent);
  }

  async position(): Promise<number> {
    return asNumber((await this.#link.command("read", "get", this.#layout.id)) ?? 0);
  }

  follow<Of extends AnySelection>(selection: Of, options: FollowOptions): Follower<EntryOf<Of> | Gap> {
    return this.#followers.it.follow(selection, { ...options, patient: false });
  }

  /** The same, but a server that is away at the start is waited for, instead of failing `ready`. */
  followPatiently<Of extends AnySelection>(
    selection: Of,
    options: FollowOptions,
  ): Follower<EntryOf<Of> | Gap> {
    return this.#followers.it.follow(selection, { ...options, patient: true });
  }

  work<Of extends AnySelection>(
    consumer: string,
    selection: Of,
    options: WorkerOptions,
  ): Promise<Worker<EntryOf<Of>>> {
    return this.#workers.it.join(consumer, selection, options);
  }

  consumers(): Promise<readonly ConsumerFacts[]> {
    return this.#workers.it.list();
  }

  deleteConsumer(consumer: string): Promise<boolean> {
    return this.#workers.it.forget(consumer);
  }

  tryLock(lock: string, request: LockRequest): Promise<Grant | null> {
    return this.#locks.it.try(lock, request);
  }

  awaitLock(lock: string, request: LockRequest, patience: LockPatience): Promise<Grant | null> {
    return this.#locks.it.await(lock, request, patience);
  }

  refreshLock(lock: string, token: string, options: RefreshOptions): Promise<Grant | null> {
    return this.#locks.it.refresh(lock, token, options);
  }

  releaseLock(lock: string, token: string): Promise<boolean> {
    return this.#locks.it.release(lock, token);
  }

  locks(lock: string | null): Promise<readonly LockFacts[]> {
    return this.#locks.it.list(lock);
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

  keepOrder(): void {
    this.#scripts.keepOrder();
  }

  async close(): Promise<void> {
    this.#link.leave();
    this.#workers.ifMade?.close();
    this.#locks.ifMade?.close();
    await this.#followers.ifMade?.close();
    this.#link.close();
  }

  async #expire(key: string, ttlMs: number | null, ...expected: readonly Bytes[]): Promise<Conditional> {
    const args = [lifetime(ttlMs), ...expected];
    return toConditional(await this.#scripts.book(EXPIRE, { effect: "write", keys: [key], args }));
  }
}
