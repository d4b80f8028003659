/**
 * The blackboard as programs and commands use it: validates names, applies the prefix and the defaults, and
 * delegates to a store. It knows neither which store that is nor who calls.
 */
import type { Capabilities, Follower } from "./core/backend.ts";
import type { ConsumeOptions, SubscribeOptions } from "./core/board-options.ts";
import type { Consumer } from "./core/consumer.ts";
import { Following, isKeys, type KeysWanted } from "./core/following.ts";
import type { Held } from "./core/held.ts";
import { KeyMap } from "./core/key-map.ts";
import { Later } from "./core/later.ts";
import { Listeners, type MessageListener } from "./core/listeners.ts";
import type { LockOptions } from "./core/lock-options.ts";
import { Locks } from "./core/locks.ts";
import type { BackendStatus, Change, ChannelFacts, ConsumerFacts, PublishResult } from "./core/types.ts";
import { toBytes, type Value } from "./core/values.ts";
import type { Found } from "./core/waiting.ts";
import type { HistoryOptions, WaitForOptions, WatchOptions } from "./core/watch-options.ts";

/** One board: a map of keys and a log of messages. Get one from `openBlackboard` or `getBlackboard`. */
export class Blackboard extends KeyMap {
  readonly #listeners = new Listeners();
  readonly #following = new Later(() => new Following(this.#place, () => this.store));
  readonly #locks = new Later(() => {
    const { agent, host, pid } = this.defaults;
    return new Locks({ ...this.#place, owner: agent, host, pid }, () => this.store);
  });
  readonly #closed = new Later(() => ended(this.closing.signal));

  /** Locks, held across calls or processes, and what is known of them. For work in this program, `lock` does it all. */
  get locks(): Locks {
    return this.#locks.it;
  }

  /** Resolves when the board is closed. */
  get closed(): Promise<void> {
    return this.#closed.it;
  }

  /** Where the stores differ: the largest value, and whether foreign clients can take part. */
  get capabilities(): Capabilities {
    return this.backend.capabilities;
  }

  /**
   * Sends a message to whoever follows the channel now, and appends it to the log for those who read later. Bytes over 64 KiB must stay as
   * they are until it resolves; a smaller buffer may be used again at once.
   */
  async publish(channel: string, payload: Value): Promise<PublishResult> {
    return this.store.publish(this.names.fresh("channel", channel), toBytes(payload), this.defaults.agent);
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
      return this.#listeners.add(String(channels), how, () => this.#following.it.subscribe(channels, {}));
    return this.#following.it.subscribe(channels, how);
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
    return this.#following.it.watch(keys, options);
  }

  /** The retained changes of a key, the oldest first. */
  history(key: string, options: HistoryOptions = {}): AsyncIterable<Change> {
    return this.#following.it.history(key, options);
  }

  /**
   * Waits until keys are there, absent, changed, or have a value; at once, if that is so already. Those that are, in the order given.
   * @throws BlackboardError `timeout` after `timeoutMs`; the signal's reason when that is aborted
   */
  async wait(keys: string | readonly string[], options: WaitForOptions = {}): Promise<readonly Found[]> {
    return this.#following.it.wait(keys, options);
  }

  /**
   * Joins the workers of a consumer, a name whose position the store keeps: all workers of one name share the messages (or, with
   * `keys`, the changes of keys), each handled by one and acknowledged when that is done. Leave by `close`, or by leaving the loop.
   */
  async consume(channels: string | readonly string[], options: ConsumeOptions): Promise<Consumer>;
  async consume(changes: KeysWanted, options: ConsumeOptions): Promise<Consumer<Change>>;
  async consume(of: string | readonly string[] | KeysWanted, options: ConsumeOptions) {
    return isKeys(of)
      ? this.#following.it.consumeChanges(of.keys, options)
      : this.#following.it.consume(of, options);
  }

  /** The board's consumers: where each is in its channels, what is pending, who works. In no order. */
  consumers(): Promise<ConsumerFacts[]> {
    return this.#following.it.consumers();
  }

  /** Forgets a consumer: its positions, and what is pending. Its workers end. False if there is none. */
  async deleteConsumer(consumer: string): Promise<boolean> {
    return this.store.deleteConsumer(this.names.plain("consumer", consumer));
  }

  /**
   * Runs work while this program holds a lock, which is renewed meanwhile and given back afterwards; what the work returned. Locks are not
   * reentrant: who asks again inside waits for itself. `held.signal` is aborted when the lock is lost or can no longer be made sure of;
   * the work shall end then.
   * @throws BlackboardError `conflict` if the lock was lost before the work was done, or is held and `timeoutMs` is 0; `timeout`
   */
  async lock<Result>(
    name: string,
    options: LockOptions,
    work: (held: Held) => Result | Promise<Result>,
  ): Promise<Result> {
    return this.locks.run(name, options, work);
  }

  /** The channels that match and have retained messages or live followers, in no order. */
  async channels(pattern = "*"): Promise<ChannelFacts[]> {
    const facts = await this.store.channels(this.names.pattern(pattern));
    return facts.map((one) => ({ ...one, channel: this.names.shown(one.channel) }));
  }

  /** Which store answers, why, and facts about it. */
  async status(): Promise<BackendStatus> {
    return this.store.status();
  }

  /** From now on what is asked for without waiting for the answers before takes effect in that order, even where a server forgets our scripts meanwhile. */
  keepOrder(): void {
    this.store.keepOrder();
  }

  /** Gives back what consumers hold, and locks, and lets go of every file, socket and timer. */
  async close(): Promise<void> {
    this.closing.end();
    const parts = [this.#following.ifMade?.close(), this.#locks.ifMade?.close(), this.handedOut()];
    const ended = await Promise.allSettled(parts);
    await this.backend.close();
    for (const end of ended) if (end.status === "rejected") throw end.reason;
  }

  get #place() {
    return { names: this.names, agent: this.defaults.agent, closed: this.closing.signal };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
