/** A board's map of keys: reading and writing them. Names go in and come out without the prefix. */
import { ahead } from "./ahead.ts";
import type { Backend } from "./backend.ts";
import {
  type BoardDefaults,
  type ClearOptions,
  checkClear,
  checkKeyBatches,
  checkList,
  conditionOf,
  fenceOf,
  type KeyBatchOptions,
  type ListOptions,
  type SetValueOptions,
} from "./board-options.ts";
import type { Conditional, SetResult } from "./conditional.ts";
import { Ending } from "./ending.ts";
import { usageError } from "./errors.ts";
import { parseJson } from "./json.ts";
import { Naming } from "./naming.ts";
import { clearIn, factsIn, namesIn } from "./select.ts";
import { type TakeOptions, takeFrom } from "./taking.ts";
import type { KeyFacts, Reading, Taken } from "./types.ts";
import { checkIncrement, checkTtl, toBytes, type Value } from "./values.ts";

/** What the keys of a board can do; part of {@link Blackboard}. */
export class KeyMap {
  protected readonly names: Naming;
  protected readonly defaults: BoardDefaults;
  protected readonly backend: Backend;
  protected readonly closing = new Ending();
  /** What is being taken is gone from the board: whoever asked for it must get it. */
  readonly #taking = new Set<Promise<unknown>>();

  constructor(backend: Backend, defaults: BoardDefaults) {
    this.backend = backend;
    this.defaults = defaults;
    this.names = new Naming(defaults.prefix);
  }

  /** The value's bytes, or `null` if absent. `(await board.get("k"))?.toString()` is its text. */
  async get(key: string): Promise<Buffer | null> {
    return this.store.get(this.names.known("key", key));
  }

  /** The value with who wrote it, when, as which log entry, and how long it has to live, all of one moment; `null` if absent. */
  async read(key: string): Promise<Reading | null> {
    const [reading] = await this.store.read([this.names.known("key", key)], Number.POSITIVE_INFINITY);
    return reading ? { ...reading, key } : null;
  }

  /** The value as text (UTF-8), or `null` if absent. */
  async getText(key: string): Promise<string | null> {
    return (await this.get(key))?.toString("utf8") ?? null;
  }

  /** The value parsed as JSON, or `null` if absent. A value that is not JSON: `conflict`. */
  async getJson(key: string): Promise<unknown> {
    const text = await this.getText(key);
    return text === null ? null : parseJson(text);
  }

  /**
   * Writes a value. With a condition it is written only if the condition holds at that very moment, with a fence only while that grant
   * stands, or after it until the lock is granted again; look at `written` in what comes back. Bytes over 64 KiB must stay as they are until
   * it resolves; a smaller buffer may be used again at once.
   */
  async set(key: string, value: Value, options: SetValueOptions = {}): Promise<SetResult> {
    const ttlMs = options.ttlMs === undefined ? this.defaults.ttlMs : checkTtl(options.ttlMs);
    return this.store.set(this.names.fresh("key", key), toBytes(value), {
      ttlMs,
      condition: conditionOf(options),
      fence: fenceOf(options, this.names),
      agent: this.defaults.agent,
    });
  }

  /** Deletes keys; how many there were. */
  async del(keys: string | readonly string[]): Promise<number> {
    return this.store.del(this.names.keys(keys), { agent: this.defaults.agent });
  }

  /** Deletes a key if this is its value at that very moment; look at `done` in what comes back. */
  async deleteIf(key: string, value: Value): Promise<Conditional> {
    return this.store.delIf(this.names.known("key", key), toBytes(value), this.defaults.agent);
  }

  /**
   * Reads and deletes, in one step, the oldest key that matches: names, or Redis globs. Of many who take, each key goes to one. Waits for
   * one to appear as long as `timeoutMs` says (default: not at all); `null` if none did.
   * @throws the signal's reason when that is aborted
   */
  async take(keys: string | readonly string[], options: TakeOptions = {}): Promise<Taken | null> {
    const selection = this.names.keySelection(keys);
    const taking = takeFrom(this.store, selection, this.defaults.agent, options, this.closing.signal);
    this.#taking.add(taking);
    const taken = await taking.finally(() => this.#taking.delete(taking));
    return taken && { ...taken, key: this.names.shown(taken.key) };
  }

  /** How many of the keys exist. */
  async exists(keys: string | readonly string[]): Promise<number> {
    return this.store.exists(this.names.keys(keys));
  }

  /** The keys that match a Redis glob, each once, in no order. */
  async *keys(pattern = "*"): AsyncGenerator<string, void, undefined> {
    for await (const batch of this.keyBatches(pattern)) yield* batch;
  }

  /** The same many at a time, as they come: for a million keys the way to go. */
  async *keyBatches(
    pattern = "*",
    options: KeyBatchOptions = {},
  ): AsyncGenerator<readonly string[], void, undefined> {
    checkKeyBatches(options);
    for await (const batch of namesIn(this.store, this.names.pattern(pattern), options))
      yield batch.map(this.names.shown);
  }

  /** The keys that match, with what is known of each; in no order, unless told otherwise. */
  async *list(pattern = "*", options: ListOptions = {}): AsyncGenerator<KeyFacts, void, undefined> {
    for await (const batch of this.listBatches(pattern, options)) yield* batch;
  }

  /** The same many at a time, as they come. */
  async *listBatches(
    pattern = "*",
    options: ListOptions = {},
  ): AsyncGenerator<readonly KeyFacts[], void, undefined> {
    checkList(options);
    const store = await this.store.pin();
    for await (const batch of ahead(factsIn(store, this.names.pattern(pattern), options)))
      yield batch.map((facts) => ({ ...facts, key: this.names.shown(facts.key) }));
  }

  /** Milliseconds left to live, `null` if the key does not expire, `undefined` if it is absent. */
  async ttl(key: string): Promise<number | null | undefined> {
    return this.store.ttl(this.names.known("key", key));
  }

  /** Gives a key this many milliseconds to live. False if it is absent. */
  async expire(key: string, ttlMs: number): Promise<boolean> {
    checkTtl(ttlMs);
    return this.store.expire(this.names.known("key", key), ttlMs);
  }

  /** Gives a key this many milliseconds to live (`null`: for ever) if this is its value at that very moment; look at `done` in what comes back. */
  async expireIf(key: string, value: Value, ttlMs: number | null): Promise<Conditional> {
    if (ttlMs !== null) checkTtl(ttlMs);
    return this.store.expireIf(this.names.known("key", key), toBytes(value), ttlMs);
  }

  /** Takes a key's time to live away. False if it is absent. */
  async persist(key: string): Promise<boolean> {
    return this.store.expire(this.names.known("key", key), null);
  }

  /**
   * Adds to a counter and returns the sum, as a `bigint` only when a number could not hold it exactly. An absent
   * key counts as 0 and does not expire; a present one keeps its time to live. Not a 64-bit integer: `conflict`.
   */
  async incr(key: string, by: number | bigint = 1): Promise<number | bigint> {
    const whole = this.names.fresh("key", key);
    const sum = await this.store.incr(whole, checkIncrement(by), this.defaults.agent);
    return Number.isSafeInteger(Number(sum)) ? Number(sum) : sum;
  }

  /** Deletes what matches in this prefix; how many keys went (or, with `dryRun`, would go). */
  async clear(pattern = "*", options: ClearOptions = {}): Promise<number> {
    checkClear(options);
    return clearIn(await this.store.pin(), this.names.pattern(pattern), options, this.defaults.agent);
  }

  /** Resolves when all that is being taken has come to whoever takes it. */
  protected async handedOut(): Promise<void> {
    await Promise.allSettled(this.#taking);
  }

  /** @throws BlackboardError `usage` if the board is closed */
  protected get store(): Backend {
    if (this.closing.isOver) throw usageError("the board is closed");
    return this.backend;
  }
}
