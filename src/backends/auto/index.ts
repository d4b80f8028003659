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
  SetOptions,
} from "../../core/backend.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { BackendStatus, Bytes, FollowState, Selection } from "../../core/types.ts";
import { hasUnsynced } from "../memory/unsynced.ts";
import { type BackendSettings, unsyncedNotice } from "../open.ts";
import { UnreachableError } from "../redis/errors.ts";
import { createRedis, type RedisStore } from "../redis/index.ts";
import { followBoth } from "./follow.ts";
import { StarvationWatch } from "./starvation.ts";

/** How long redis may take to answer before it counts as unreachable. */
const REACH_MS = 300;
/** How often that is tried if the process did not get to run meanwhile: the silence was then its own. */
const ATTEMPTS = 4;
/** How long it then counts so, before it is tried again: a program's many operations must not each wait for nobody. */
const VERDICT_MS = 1000;

/** @throws BlackboardError `unavailable` if neither store can be used, `config` if redis refuses us */
export async function openAuto(settings: BackendSettings): Promise<Backend> {
  const backend = new AutoBackend(settings, createRedis(settings));
  const unreachable = await backend.reach();
  if (unreachable === null || settings.fallback) return backend;
  await backend.close();
  throw unreachable;
}

class AutoBackend implements Backend {
  readonly #settings: BackendSettings;
  readonly #redis: RedisStore;
  #memory: Promise<Backend> | null = null;
  #unreachable: { readonly error: UnreachableError; readonly until: number } | null = null;
  #toldOfFallback = false;
  #toldOfUnsynced = false;

  constructor(settings: BackendSettings, redis: RedisStore) {
    this.#settings = settings;
    this.#redis = redis;
  }

  /** Those of redis. While the file stands in, its own smaller limit of a value holds. */
  get capabilities(): Capabilities {
    return this.#redis.capabilities;
  }

  async get(key: string) {
    return (await this.#choose()).get(key);
  }

  async set(key: string, value: Bytes, options: SetOptions) {
    const backend =
      options.condition === null ? await this.#choose() : await this.#decider("a conditional set");
    return backend.set(key, value, options);
  }

  async del(keys: readonly string[], options: DelOptions) {
    return (await this.#choose()).del(keys, options);
  }

  async exists(keys: readonly string[]) {
    return (await this.#choose()).exists(keys);
  }

  async *keys(pattern: string) {
    yield* (await this.#choose()).keys(pattern);
  }

  async describe(keys: readonly string[]) {
    return (await this.#choose()).describe(keys);
  }

  async ttl(key: string) {
    return (await this.#choose()).ttl(key);
  }

  async expire(key: string, ttlMs: number | null) {
    return (await this.#choose()).expire(key, ttlMs);
  }

  async incr(key: string, by: bigint, agent: string) {
    return (await this.#decider("incr")).incr(key, by, agent);
  }

  async publish(channel: string, payload: Bytes, agent: string) {
    return (await this.#choose()).publish(channel, payload, agent);
  }

  follow(selection: Selection, options: FollowOptions): Follower {
    const file = this.#openMemory().then((memory) => memory.follow(selection, options));
    let tellAway = () => {};
    const away = new Promise<void>((resolve) => {
      tellAway = resolve;
    });
    const onState = (state: FollowState) => {
      if (state.state === "away") tellAway();
      options.onState(state);
    };
    // A server that is silent, not gone, would otherwise be waited for until the bound of a whole operation.
    this.reach().then(
      (unreachable) => unreachable && tellAway(),
      () => {}, // the follower meets the same refusal and ends with it
    );
    return followBoth(
      this.#redis.followPatiently(selection, { onState }),
      file,
      away,
      this.#settings.onNotice,
    );
  }

  async channels(pattern: string) {
    return (await this.#choose()).channels(pattern);
  }

  async status(): Promise<BackendStatus> {
    const chosen = await this.#choose();
    const status = await chosen.status();
    const isRedis = chosen === this.#redis;
    const why = isRedis ? "redis answered" : "redis is unreachable, so the file stands in";
    // A file with unsynced writes is part of the picture; one without would be opened for nothing.
    const showFile = isRedis && hasUnsynced(this.#settings.memoryPath);
    const file = showFile ? (await (await this.#openMemory()).status()).stores : [];
    return { store: status.store, why: `auto: ${why}`, stores: [...status.stores, ...file] };
  }

  /** One store for steps that belong together. */
  async pin(): Promise<Backend> {
    return this.#choose();
  }

  async close(): Promise<void> {
    const memory = await this.#memory?.catch(() => null);
    await Promise.all([this.#redis.close(), memory?.close()]);
  }

  /** `null` if redis is there, else why it cannot be reached. Any other trouble with it is thrown. */
  async reach(): Promise<UnreachableError | null> {
    if (this.#unreachable !== null && this.#unreachable.until > Date.now()) return this.#unreachable.error;
    this.#unreachable = null;
    const error = await this.#tryToReach(ATTEMPTS);
    if (error !== null) this.#unreachable = { error, until: Date.now() + VERDICT_MS };
    return error;
  }

  async #tryToReach(attempts: number): Promise<UnreachableError | null> {
    const watch = new StarvationWatch();
    try {
      await this.#redis.connect(Math.min(REACH_MS, this.#settings.timeoutMs));
      watch.end();
      return null;
    } catch (error) {
      const wasStarved = watch.end();
      if (!(error instanceof UnreachableError)) throw error;
      return wasStarved && attempts > 1 ? this.#tryToReach(attempts - 1) : error;
    }
  }

  /** The store for an operation that either can do. */
  async #choose(): Promise<Backend> {
    const unreachable = await this.reach();
    if (unreachable === null) {
      this.#toldOfFallback = false;
      this.#tellOfUnsynced();
      return this.#redis;
    }
    if (!this.#settings.fallback) throw unreachable;
    const memory = await this.#openMemory();
    this.#tellOfFallback(unreachable);
    return memory;
  }

  /** The store for an operation that decides who wins: redis or nothing. */
  async #decider(operation: string): Promise<Backend> {
    const unreachable = await this.reach();
    if (unreachable === null) return this.#redis;
    const message = `${unreachable.message}; ${operation} is not decided on the file, two could win`;
    const hint = "--backend memory decides on the file, if every agent uses it";
    throw new BlackboardError("unavailable", message, { hint, cause: unreachable });
  }

  #openMemory(): Promise<Backend> {
    this.#memory ??= this.#loadMemory();
    return this.#memory;
  }

  async #loadMemory(): Promise<Backend> {
    try {
      const { openMemory } = await import("../memory/index.ts");
      return await openMemory({ ...this.#settings, path: this.#settings.memoryPath, flagUnsynced: true });
    } catch (error) {
      this.#memory = null; // a file that was locked, or a disk that was full, may not be so next time
      throw error;
    }
  }

  /** Once a command; in a program, each time redis goes away. */
  #tellOfFallback(unreachable: UnreachableError): void {
    if (this.#toldOfFallback) return;
    this.#toldOfFallback = true;
    this.#toldOfUnsynced = false; // there may be new ones when redis is back
    this.#settings.onNotice(`${unreachable.message}; using ${this.#settings.memoryPath} instead`);
  }

  #tellOfUnsynced(): void {
    if (this.#toldOfUnsynced) return;
    this.#toldOfUnsynced = true;
    const notice = unsyncedNotice(this.#settings.memoryPath);
    if (notice !== null) this.#settings.onNotice(notice);
  }
}
