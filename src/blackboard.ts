/**
 * The blackboard as programs and commands use it: validates names, applies the prefix and the defaults, and
 * delegates to a store. It knows neither which store that is nor who calls.
 */
import type { Backend, Capabilities, Follower } from "./core/backend.ts";
import {
  type BoardDefaults,
  type ClearOptions,
  type ConsumeOptions,
  checkClear,
  checkList,
  conditionOf,
  type ListOptions,
  type SetValueOptions,
  type SubscribeOptions,
} from "./core/board-options.ts";
import type { Consumer } from "./core/consumer.ts";
import { usageError } from "./core/errors.ts";
import { Following, isKeys, type KeysWanted } from "./core/following.ts";
import { parseJson } from "./core/json.ts";
import { Listeners, type MessageListener } from "./core/listeners.ts";
import { Naming } from "./core/naming.ts";
import { clearIn, factsOf } from "./core/select.ts";
import type {
  BackendStatus,
  Change,
  ChannelFacts,
  ConsumerFacts,
  KeyFacts,
  PublishResult,
  Reading,
  SetResult,
} from "./core/types.ts";
import { checkIncrement, checkTtl, toBytes, type Value } from "./core/values.ts";
import type { Found } from "./core/waiting.ts";
import type { HistoryOptions, WaitForOptions, WatchOptions } from "./core/watch-options.ts";

/** One board: a map of keys and a log of messages. Get one from `openBlackboard` or `getBlackboard`. */
export class Blackboard {
  readonly #backend: Backend;
  readonly #defaults: BoardDefaults;
  readonly #names: Naming;
  readonly #listeners = new Listeners();
  readonly #following: Following;
  readonly #closing = new AbortController();
  /** Resolves when the board is closed. */
  readonly closed = new Promise<void>((resolve) =>
    this.#closing.signal.addEventListener("abort", () => resolve()),
  );

  constructor(backend: Backend, defaults: BoardDefaults) {
    this.#backend = backend;
    this.#defaults = defaults;
    this.#names = new Naming(defaults.prefix);
    const place = { names: this.#names, agent: defaults.agent, closed: this.#closing.signal };
    this.#following = new Following(place, () => this.#store);
  }

  /** Where the stores differ: the largest value, and whether foreign clients can take part. */
  get capabilities(): Capabilities {
    return this.#backend.capabilities;
  }

  /** The value's bytes, or `null` if absent. `(await board.get("k"))?.toString()` is its text. */
  async get(key: string): Promise<Buffer | null> {
    return this.#store.get(this.#names.known("key", key));
  }

  /** The value with who wrote it, when, as which log entry, and how long it has to live, all of one moment; `null` if absent. */
  async read(key: string): Promise<Reading | null> {
    const [reading] = await this.#store.read([this.#names.known("key", key)], Number.POSITIVE_INFINITY);
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
   * Writes a value. With a condition it is written only if the condition holds at that very moment; look at
   * `written` in what comes back.
   */
  async set(key: string, value: Value, options: SetValueOptions = {}): Promise<SetResult> {
    const ttlMs = options.ttlMs === undefined ? this.#defaults.ttlMs : checkTtl(options.ttlMs);
    return this.#store.set(this.#names.fresh("key", key), toBytes(value), {
      ttlMs,
      condition: conditionOf(options),
      agent: this.#defaults.agent,
    });
  }

  /** Deletes keys; how many there were. */
  async del(keys: string | readonly string[]): Promise<number> {
    return this.#store.del(this.#names.keys(keys), { agent: this.#defaults.agent });
  }

  /** How many of the keys exist. */
  async exists(keys: string | readonly string[]): Promise<number> {
    return this.#store.exists(this.#names.keys(keys));
  }

  /** The keys that match a Redis glob, each once, in no order. */
  async *keys(pattern = "*"): AsyncGenerator<string, void, undefined> {
    for await (const batch of this.#store.keys(this.#names.pattern(pattern))) {
      for (const key of batch) yield this.#names.shown(key);
    }
  }

  /** The keys that match, with what is known of each, in no order. */
  async *list(pattern = "*", options: ListOptions = {}): AsyncGenerator<KeyFacts, void, undefined> {
    checkList(options);
    const store = await this.#store.pin();
    for await (const batch of factsOf(store, this.#names.pattern(pattern), options)) {
      for (const facts of batch) yield { ...facts, key: this.#names.shown(facts.key) };
    }
  }

  /** Milliseconds left to live, `null` if the key does not expire, `undefined` if it is absent. */
  async ttl(key: string): Promise<number | null | undefined> {
    return this.#store.ttl(this.#names.known("key", key));
  }

  /** Gives a key this many milliseconds to live. False if it is absent. */
  async expire(key: string, ttlMs: number): Promise<boolean> {
    checkTtl(ttlMs);
    return this.#store.expire(this.#names.known("key", key), ttlMs);
  }

  /** Takes a key's time to live away. False if it is absent. */
  async persist(key: string): Promise<boolean> {
    return this.#store.expire(this.#names.known("key", key), null);
  }

  /**
   * Adds to a counter and returns the sum, as a `bigint` only when a number could not hold it exactly. An absent
   * key counts as 0 and does not expire; a present one keeps its time to live. Not a 64-bit integer: `conflict`.
   */
  async incr(key: string, by: number | bigint = 1): Promise<number | bigint> {
    const whole = this.#names.fresh("key", key);
    const sum = await this.#store.incr(whole, checkIncrement(by), this.#defaults.agent);
    return Number.isSafeInteger(Number(sum)) ? Number(sum) : sum;
  }

  /** Sends a message to whoever follows the channel now, and appends it to the log for those who read later. */
  async publish(channel: string, payload: Value): Promise<PublishResult> {
    return this.#store.publish(this.#names.fresh("channel", channel), toBytes(payload), this.#defaults.agent);
  }

  /**
   * Follows channels: names, or Redis globs (a name with `*`, `?`, `[` or `\` is one). Without a listener it returns a follower to
   * iterate; await its `ready` before relying on it. With one it resolves once no message can be missed, and `unsubscribe` ends it.
   */
  subscribe(channels: string | readonly string[], options?: SubscribeOptions): Follower;
  subscribe(channel: string, listener: MessageListener): Promise<void>;
  subscribe(
    channels: string | readonly string[],
    how: SubscribeOptions | MessageListener = {},
  ): Follower | Promise<void> {
    if (typeof how === "function")
      return this.#listeners.add(String(channels), how, () => this.#following.subscribe(channels, {}));
    return this.#following.subscribe(channels, how);
  }

  /** Ends what `subscribe(channel, listener)` began: this listener's part, or every listener's of the channel. */
  async unsubscribe(channel: string, listener?: MessageListener): Promise<void> {
    await this.#listeners.remove(channel, listener);
  }

  /**
   * Follows keys: names, or Redis globs. Each change comes once, in the order of the log: `set`, `del`, `expired`. With
   * `initial` it begins with the values that are there.
   */
  watch(keys: string | readonly string[], options: WatchOptions = {}): Follower<Change> {
    return this.#following.watch(keys, options);
  }

  /** The retained changes of a key, the oldest first. */
  history(key: string, options: HistoryOptions = {}): AsyncIterable<Change> {
    return this.#following.history(key, options);
  }

  /**
   * Waits until keys are there, absent, changed, or have a value; at once, if that is so already. Those that are, in the order given.
   * @throws BlackboardError `timeout` after `timeoutMs`; the signal's reason when that is aborted
   */
  async wait(keys: string | readonly string[], options: WaitForOptions = {}): Promise<readonly Found[]> {
    return this.#following.wait(keys, options);
  }

  /**
   * Joins the workers of a consumer, a name whose position the store keeps: all workers of one name share the messages (or, with
   * `keys`, the changes of keys), each handled by one and acknowledged when that is done. Leave by `close`, or by leaving the loop.
   */
  async consume(channels: string | readonly string[], options: ConsumeOptions): Promise<Consumer>;
  async consume(changes: KeysWanted, options: ConsumeOptions): Promise<Consumer<Change>>;
  async consume(of: string | readonly string[] | KeysWanted, options: ConsumeOptions) {
    return isKeys(of)
      ? this.#following.consumeChanges(of.keys, options)
      : this.#following.consume(of, options);
  }

  /** The board's consumers: where each is in its channels, what is pending, who works. In no order. */
  consumers(): Promise<ConsumerFacts[]> {
    return this.#following.consumers();
  }

  /** Forgets a consumer: its positions, and what is pending. Its workers end. False if there is none. */
  async deleteConsumer(consumer: string): Promise<boolean> {
    return this.#store.deleteConsumer(this.#names.plain("consumer", consumer));
  }

  /** Deletes what matches in this prefix; how many keys went (or, with `dryRun`, would go). */
  async clear(pattern = "*", options: ClearOptions = {}): Promise<number> {
    checkClear(options);
    return clearIn(await this.#store.pin(), this.#names.pattern(pattern), options, this.#defaults.agent);
  }

  /** The channels that match and have retained messages or live followers, in no order. */
  async channels(pattern = "*"): Promise<ChannelFacts[]> {
    const facts = await this.#store.channels(this.#names.pattern(pattern));
    return facts.map((one) => ({ ...one, channel: this.#names.shown(one.channel) }));
  }

  /** Which store answers, why, and facts about it. */
  async status(): Promise<BackendStatus> {
    return this.#store.status();
  }

  /** Gives back what consumers hold, and lets go of every file, socket and timer. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#following.close().finally(() => this.#backend.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #store(): Backend {
    if (this.#closing.signal.aborted) throw usageError("the board is closed");
    return this.#backend;
  }
}
