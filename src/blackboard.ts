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
  type SetValueOptions,
  type SubscribeOptions,
  startOf,
} from "./core/board-options.ts";
import { type Consumer, Consumers } from "./core/consumer.ts";
import { usageError } from "./core/errors.ts";
import { endedFollower, forBoard } from "./core/followers.ts";
import { parseJson } from "./core/json.ts";
import { Listeners, type MessageListener } from "./core/listeners.ts";
import { Naming } from "./core/naming.ts";
import { atMost, factsOf, matchingIn, sizeOf } from "./core/select.ts";
import type {
  BackendStatus,
  ChannelFacts,
  ConsumerFacts,
  KeyFacts,
  PublishResult,
  SetResult,
} from "./core/types.ts";
import { checkIncrement, checkTtl, toBytes, type Value } from "./core/values.ts";

/** One board: a map of keys and a log of messages. Get one from `openBlackboard` or `getBlackboard`. */
export class Blackboard {
  readonly #backend: Backend;
  readonly #defaults: BoardDefaults;
  readonly #names: Naming;
  readonly #listeners = new Listeners();
  readonly #consumers = new Consumers();
  #isClosed = false;
  #markClosed: () => void = () => {};
  /** Resolves when the board is closed. */
  readonly closed = new Promise<void>((resolve) => {
    this.#markClosed = resolve;
  });

  constructor(backend: Backend, defaults: BoardDefaults) {
    this.#backend = backend;
    this.#defaults = defaults;
    this.#names = new Naming(defaults.prefix);
  }

  /** Where the stores differ: the largest value, and whether foreign clients can take part. */
  get capabilities(): Capabilities {
    return this.#backend.capabilities;
  }

  /** The value's bytes, or `null` if absent. `(await board.get("k"))?.toString()` is its text. */
  async get(key: string): Promise<Buffer | null> {
    return this.#store.get(this.#names.known("key", key));
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

  /**
   * The keys that match, with what is known of each, in no order.
   * @param options.unwrittenForMs only keys not written for so long; never one a foreign client wrote
   */
  async *list(
    pattern = "*",
    options: { readonly unwrittenForMs?: number } = {},
  ): AsyncGenerator<KeyFacts, void, undefined> {
    checkList(options);
    const store = await this.#store.pin();
    for await (const batch of factsOf(store, this.#names.pattern(pattern), options.unwrittenForMs)) {
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
    const sum = await this.#store.incr(
      this.#names.fresh("key", key),
      checkIncrement(by),
      this.#defaults.agent,
    );
    return Number.isSafeInteger(Number(sum)) ? Number(sum) : sum;
  }

  /** Sends a message to whoever follows the channel now, and appends it to the log for those who read later. */
  async publish(channel: string, payload: Value): Promise<PublishResult> {
    return this.#store.publish(this.#names.fresh("channel", channel), toBytes(payload), this.#defaults.agent);
  }

  /**
   * Follows channels: names, or Redis globs (a name with `*`, `?`, `[` or `\` is one). Without a listener it returns
   * a follower to iterate; await its `ready` before relying on it. With a listener it resolves once no message can be
   * missed, and `unsubscribe` ends it. `last` and `since` begin with what is retained.
   */
  subscribe(channels: string | readonly string[], options?: SubscribeOptions): Follower;
  subscribe(channel: string, listener: MessageListener): Promise<void>;
  subscribe(
    channels: string | readonly string[],
    how: SubscribeOptions | MessageListener = {},
  ): Follower | Promise<void> {
    if (typeof how === "function")
      return this.#listeners.add(String(channels), how, () => this.#follow(channels, {}));
    return this.#follow(channels, how);
  }

  /** Ends what `subscribe(channel, listener)` began: this listener's part, or every listener's of the channel. */
  async unsubscribe(channel: string, listener?: MessageListener): Promise<void> {
    await this.#listeners.remove(channel, listener);
  }

  /**
   * Joins the workers of a consumer, a name whose position the store keeps: all workers of one name share the messages,
   * each handled by one and acknowledged when that is done. Leave by `close`, or by leaving the loop.
   */
  async consume(channels: string | readonly string[], options: ConsumeOptions): Promise<Consumer> {
    return this.#consumers.join(this.#store, this.#names, this.#defaults.agent, channels, options);
  }

  /** The board's consumers: where each is in its channels, what is pending, who works. In no order. */
  async consumers(): Promise<ConsumerFacts[]> {
    const facts = await this.#store.consumers();
    return facts.map((one) => ({
      ...one,
      channels: one.channels.map((channel) => ({ ...channel, channel: this.#names.shown(channel.channel) })),
    }));
  }

  /** Forgets a consumer: its positions, and what is pending. Its workers end. False if there is none. */
  async deleteConsumer(consumer: string): Promise<boolean> {
    return this.#store.deleteConsumer(this.#names.plain("consumer", consumer));
  }

  /** Deletes what matches in this prefix; how many keys went (or, with `dryRun`, would go). */
  async clear(pattern = "*", options: ClearOptions = {}): Promise<number> {
    checkClear(options);
    const store = await this.#store.pin();
    const matching = matchingIn(store, this.#names.pattern(pattern), options.unwrittenForMs);
    if (options.dryRun) return sizeOf(matching);
    const chosen = options.max === undefined ? matching : await atMost(options.max, matching);
    const age = options.unwrittenForMs === undefined ? {} : { unwrittenForMs: options.unwrittenForMs };
    let deleted = 0;
    for await (const batch of chosen) {
      deleted += await store.del(batch, { agent: this.#defaults.agent, ...age });
    }
    return deleted;
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
    this.#isClosed = true;
    this.#markClosed();
    await this.#consumers.close().finally(() => this.#backend.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #store(): Backend {
    if (this.#isClosed) throw usageError("the board is closed");
    return this.#backend;
  }

  #follow(channels: string | readonly string[], options: SubscribeOptions): Follower {
    const from = startOf(options);
    const selection = this.#names.selection(channels);
    if (options.signal?.aborted) return endedFollower();
    const { onState = () => {}, onGap = () => {}, live = true, signal } = options;
    const follower = this.#store.follow(selection, { onState, from, live });
    return forBoard(follower, { shown: (whole) => this.#names.shown(whole), onGap, signal });
  }
}
