/**
 * The blackboard as programs and commands use it: validates names, applies the prefix and the defaults, and
 * delegates to a store. It knows neither which store that is nor who calls.
 */

import type { Backend, Capabilities, Follower } from "./core/backend.ts";
import {
  type BoardDefaults,
  type ClearOptions,
  conditionOf,
  type SetValueOptions,
  type SubscribeOptions,
} from "./core/board-options.ts";
import { usageError } from "./core/errors.ts";
import { withShownChannels } from "./core/followers.ts";
import { escapeGlob, isPattern } from "./core/glob.ts";
import { parseJson } from "./core/json.ts";
import { Listeners, type MessageListener } from "./core/listeners.ts";
import { checkKnownName, checkNewName, checkPattern, OWN_ROOT } from "./core/names.ts";
import { atMost, factsOf, matchingIn, sizeOf } from "./core/select.ts";
import type {
  BackendStatus,
  ChannelFacts,
  KeyFacts,
  PublishResult,
  Selection,
  SetResult,
} from "./core/types.ts";
import { checkIncrement, checkTtl, toBytes, type Value } from "./core/values.ts";

/** One board: a map of keys and a log of messages. Get one from `openBlackboard` or `getBlackboard`. */
export class Blackboard {
  readonly #backend: Backend;
  readonly #defaults: BoardDefaults;
  /** What whole names begin with: `<prefix>:`, or nothing. */
  readonly #root: string;
  readonly #listeners = new Listeners();
  #markClosed: () => void = () => {};
  /** Resolves when the board is closed. */
  readonly closed = new Promise<void>((resolve) => {
    this.#markClosed = resolve;
  });

  constructor(backend: Backend, defaults: BoardDefaults) {
    this.#backend = backend;
    this.#defaults = defaults;
    this.#root = defaults.prefix === "" ? "" : `${defaults.prefix}:`;
  }

  /** Where the stores differ: the largest value, and whether foreign clients can take part. */
  get capabilities(): Capabilities {
    return this.#backend.capabilities;
  }

  /** The value's bytes, or `null` if absent. `(await board.get("k"))?.toString()` is its text. */
  async get(key: string): Promise<Buffer | null> {
    return this.#backend.get(this.#known("key", key));
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
    return this.#backend.set(this.#new("key", key), toBytes(value), {
      ttlMs,
      condition: conditionOf(options),
      agent: this.#defaults.agent,
    });
  }

  /** Deletes keys; how many there were. */
  async del(keys: string | readonly string[]): Promise<number> {
    return this.#backend.del(this.#knownKeys(keys), { agent: this.#defaults.agent });
  }

  /** How many of the keys exist. */
  async exists(keys: string | readonly string[]): Promise<number> {
    return this.#backend.exists(this.#knownKeys(keys));
  }

  /** The keys that match a Redis glob, each once, in no order. */
  async *keys(pattern = "*"): AsyncGenerator<string, void, undefined> {
    for await (const batch of this.#backend.keys(this.#pattern(pattern))) {
      for (const key of batch) yield this.#shown(key);
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
    const store = await this.#backend.pin();
    for await (const batch of factsOf(store, this.#pattern(pattern), options.unwrittenForMs)) {
      for (const facts of batch) yield { ...facts, key: this.#shown(facts.key) };
    }
  }

  /** Milliseconds left to live, `null` if the key does not expire, `undefined` if it is absent. */
  async ttl(key: string): Promise<number | null | undefined> {
    return this.#backend.ttl(this.#known("key", key));
  }

  /** Gives a key this many milliseconds to live. False if it is absent. */
  async expire(key: string, ttlMs: number): Promise<boolean> {
    checkTtl(ttlMs);
    return this.#backend.expire(this.#known("key", key), ttlMs);
  }

  /** Takes a key's time to live away. False if it is absent. */
  async persist(key: string): Promise<boolean> {
    return this.#backend.expire(this.#known("key", key), null);
  }

  /**
   * Adds to a counter and returns the sum, as a `bigint` only when a number could not hold it exactly. An absent
   * key counts as 0 and does not expire; a present one keeps its time to live. Not a 64-bit integer: `conflict`.
   */
  async incr(key: string, by: number | bigint = 1): Promise<number | bigint> {
    const sum = await this.#backend.incr(this.#new("key", key), checkIncrement(by), this.#defaults.agent);
    return Number.isSafeInteger(Number(sum)) ? Number(sum) : sum;
  }

  /** Sends a message to whoever follows the channel now, and appends it to the log for those who read later. */
  async publish(channel: string, payload: Value): Promise<PublishResult> {
    return this.#backend.publish(this.#new("channel", channel), toBytes(payload), this.#defaults.agent);
  }

  /**
   * Follows channels: names, or Redis globs (a name with `*`, `?`, `[` or `\` is one). Without a listener it returns
   * a follower to iterate; await its `ready` before relying on it. With a listener it resolves once no message can be
   * missed, and `unsubscribe` ends it.
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

  /** Deletes what matches in this prefix; how many keys went (or, with `dryRun`, would go). */
  async clear(pattern = "*", options: ClearOptions = {}): Promise<number> {
    const store = await this.#backend.pin();
    const matching = matchingIn(store, this.#pattern(pattern), options.unwrittenForMs);
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
    const facts = await this.#backend.channels(this.#pattern(pattern));
    return facts.map((one) => ({ ...one, channel: this.#shown(one.channel) }));
  }

  /** Which store answers, why, and facts about it. */
  async status(): Promise<BackendStatus> {
    return this.#backend.status();
  }

  /** Lets go of every file, socket and timer. */
  async close(): Promise<void> {
    this.#markClosed();
    await this.#backend.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #new(what: string, name: string): string {
    checkNewName(what, name);
    return this.#whole(what, name);
  }

  #known(what: string, name: string): string {
    checkKnownName(what, name);
    return this.#whole(what, name);
  }

  #knownKeys(keys: string | readonly string[]): string[] {
    return (typeof keys === "string" ? [keys] : keys).map((key) => this.#known("key", key));
  }

  #pattern(pattern: string): string {
    checkPattern(pattern);
    return escapeGlob(this.#root) + pattern;
  }

  /** Without a prefix a name could reach timmy-bb's own bookkeeping; nothing typed may. */
  #whole(what: string, name: string): string {
    const whole = this.#root + name;
    if (!whole.startsWith(OWN_ROOT)) return whole;
    throw usageError(`the ${what} begins with ${OWN_ROOT}, which is timmy-bb's own`, "choose another name");
  }

  #shown(whole: string): string {
    return whole.slice(this.#root.length);
  }

  #follow(channels: string | readonly string[], options: SubscribeOptions): Follower {
    const selection = this.#selection(typeof channels === "string" ? [channels] : channels);
    const follower = this.#backend.follow(selection, { onState: options.onState ?? (() => {}) });
    options.signal?.addEventListener("abort", () => void follower.close(), { once: true });
    if (options.signal?.aborted) void follower.close();
    return withShownChannels(follower, (whole) => this.#shown(whole));
  }

  #selection(channels: readonly string[]): Selection {
    if (channels.length === 0) throw usageError("no channel to follow");
    return {
      channels: channels.filter((name) => !isPattern(name)).map((name) => this.#known("channel", name)),
      patterns: channels.filter(isPattern).map((pattern) => this.#pattern(pattern)),
    };
  }
}
