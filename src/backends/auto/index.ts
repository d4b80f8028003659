/**
 * `auto`: redis when it answers within 300 ms, else – if the settings allow – the file. The choice is made anew for
 * each operation, before anything is sent; once a command is on its way there is no second store for it.
 *
 * What decides who wins fails closed: with redis out of reach two agents could each win, one on either store.
 */
import type {
  Backend,
  Capabilities,
  DelOptions,
  Follower,
  FollowOptions,
  KeysOptions,
  SetOptions,
} from "../../core/backend.ts";
import type { LockPatience, LockRequest, RefreshOptions } from "../../core/lock.ts";
import type {
  AnySelection,
  BackendStatus,
  Bytes,
  Entry,
  EntryOf,
  FollowState,
  Gap,
  KeySelection,
} from "../../core/types.ts";
import type { WorkerOptions } from "../../core/worker.ts";
import type { BackendSettings } from "../open.ts";
import { followBoth } from "./follow.ts";
import { newestOfAll, replayAll } from "./replay.ts";
import { Stores } from "./stores.ts";

/** @throws BlackboardError `unavailable` if neither store can be used, `config` if redis refuses us */
export async function openAuto(settings: BackendSettings): Promise<Backend> {
  const stores = new Stores(settings);
  const unreachable = await stores.reach();
  if (unreachable === null || settings.fallback) return new AutoBackend(stores);
  await stores.close();
  throw unreachable;
}

class AutoBackend implements Backend {
  readonly #stores: Stores;

  constructor(stores: Stores) {
    this.#stores = stores;
  }

  /** Those of redis. While the file stands in, its own smaller limit of a value holds. */
  get capabilities(): Capabilities {
    return this.#stores.redis.capabilities;
  }

  async get(key: string) {
    return (await this.#stores.choose()).get(key);
  }

  async set(key: string, value: Bytes, options: SetOptions) {
    const isFree = options.condition === null && options.fence === null;
    const store = isFree ? await this.#stores.choose() : await this.#stores.decider("a conditional set");
    return store.set(key, value, options);
  }

  async del(keys: readonly string[], options: DelOptions) {
    return (await this.#stores.choose()).del(keys, options);
  }

  async delIf(key: string, value: Bytes, agent: string) {
    return (await this.#stores.decider("a conditional del")).delIf(key, value, agent);
  }

  async take(selection: KeySelection, agent: string) {
    return (await this.#stores.decider("take")).take(selection, agent);
  }

  async exists(keys: readonly string[]) {
    return (await this.#stores.choose()).exists(keys);
  }

  async *keys(pattern: string, options: KeysOptions = {}) {
    yield* (await this.#stores.choose()).keys(pattern, options);
  }

  async describe(keys: readonly string[]) {
    return (await this.#stores.choose()).describe(keys);
  }

  async read(keys: readonly string[], mostBytes: number) {
    return (await this.#stores.choose()).read(keys, mostBytes);
  }

  async position() {
    return (await this.#stores.choose()).position();
  }

  async ttl(key: string) {
    return (await this.#stores.choose()).ttl(key);
  }

  async expire(key: string, ttlMs: number | null) {
    return (await this.#stores.choose()).expire(key, ttlMs);
  }

  async expireIf(key: string, value: Bytes, ttlMs: number | null) {
    return (await this.#stores.decider("a conditional expire")).expireIf(key, value, ttlMs);
  }

  async incr(key: string, by: bigint, agent: string) {
    return (await this.#stores.decider("incr")).incr(key, by, agent);
  }

  async publish(channel: string, payload: Bytes, agent: string) {
    return (await this.#stores.choose()).publish(channel, payload, agent);
  }

  follow<Of extends AnySelection>(selection: Of, options: FollowOptions): Follower<EntryOf<Of> | Gap> {
    const follower = options.live ? this.#followLive(selection, options) : this.#replay(selection, options);
    return follower as Follower<EntryOf<Of> | Gap>; // what is selected decides what comes
  }

  async work<Of extends AnySelection>(consumer: string, selection: Of, options: WorkerOptions) {
    return (await this.#stores.decider("who works on what")).work(consumer, selection, options);
  }

  async consumers() {
    return (await this.#stores.choose()).consumers();
  }

  async deleteConsumer(consumer: string) {
    return (await this.#stores.decider("deleting a consumer")).deleteConsumer(consumer);
  }

  #followLive(selection: AnySelection, options: FollowOptions): Follower<Entry | Gap> {
    const file = this.#stores.memory().then((memory) => memory.follow(selection, this.#ofFile(options)));
    let tellAway = () => {};
    const away = new Promise<void>((resolve) => {
      tellAway = resolve;
    });
    const onState = (state: FollowState) => {
      if (state.state === "away") tellAway();
      if (state.state === "back") this.#stores.seeRedis(); // whoever is told now shall find redis
      options.onState(state);
    };
    // A server that is silent, not gone, would otherwise be waited for until the bound of a whole operation.
    this.#stores.reach().then(
      (unreachable) => unreachable && tellAway(),
      () => {}, // the follower meets the same refusal and ends with it
    );
    const redis = this.#stores.redis.followPatiently(selection, { ...options, onState });
    redis.ready.then(
      () => this.#stores.seeRedis(),
      () => {}, // the loop throws it
    );
    return followBoth(redis, file, away, this.#stores.settings.onNotice);
  }

  #replay(selection: AnySelection, options: FollowOptions): Follower<Entry | Gap> {
    return replayAll(this.#readable().then((stores) => replaysOf(stores, selection, options)));
  }

  /** The file's past is this board's past only where it stood in for redis. */
  #ofFile(options: FollowOptions): FollowOptions {
    return this.#stores.hasUnsynced ? options : { ...options, from: null };
  }

  /** Every store that has a part of the log. */
  async #readable(): Promise<readonly Backend[]> {
    const chosen = await this.#stores.choose();
    if (chosen !== this.#stores.redis || !this.#stores.hasUnsynced) return [chosen];
    return [chosen, await this.#stores.memory()];
  }

  async tryLock(lock: string, request: LockRequest) {
    return (await this.#stores.decider("who holds a lock")).tryLock(lock, request);
  }

  async awaitLock(lock: string, request: LockRequest, patience: LockPatience) {
    return this.#stores.decided("who holds a lock", (redis) => redis.awaitLock(lock, request, patience));
  }

  async refreshLock(lock: string, token: string, options: RefreshOptions) {
    return this.#stores.decided("who holds a lock", (redis) => redis.refreshLock(lock, token, options));
  }

  async releaseLock(lock: string, token: string) {
    return this.#stores.decided("who holds a lock", (redis) => redis.releaseLock(lock, token));
  }

  async locks(lock: string | null) {
    return (await this.#stores.decider("who holds a lock")).locks(lock);
  }

  async channels(pattern: string) {
    return (await this.#stores.choose()).channels(pattern);
  }

  async status(): Promise<BackendStatus> {
    const chosen = await this.#stores.choose();
    const status = await chosen.status();
    const isRedis = chosen === this.#stores.redis;
    const why = isRedis ? "redis answered" : "redis is unreachable, so the file stands in";
    // A file with unsynced writes is part of the picture; one without would be opened for nothing.
    const showFile = isRedis && this.#stores.hasUnsynced;
    const file = showFile ? (await (await this.#stores.memory()).status()).stores : [];
    return { store: status.store, why: `auto: ${why}`, stores: [...status.stores, ...file] };
  }

  /** One store for steps that belong together. */
  async pin(): Promise<Backend> {
    return this.#stores.choose();
  }

  keepOrder(): void {
    this.#stores.redis.keepOrder();
  }

  async close(): Promise<void> {
    await this.#stores.close();
  }
}

/** The newest of all stores together are asked for by their place: each store's newest would be too many. */
async function replaysOf(
  stores: readonly Backend[],
  selection: AnySelection,
  options: FollowOptions,
): Promise<readonly Follower<Entry | Gap>[]> {
  const follow = (how: FollowOptions) => stores.map((store) => store.follow(selection, how));
  const { from } = options;
  if (stores.length === 1 || from === null || !("last" in from) || from.last === Infinity)
    return follow(options);
  return follow({ ...options, from: await newestOfAll(follow(options), from.last) });
}
