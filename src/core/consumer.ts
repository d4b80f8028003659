/** A worker as a board's user has it: names without the prefix, gaps told, and an end to trying again. */
import type { Backend } from "./backend.ts";
import { type ConsumeOptions, consumeSettings } from "./board-options.ts";
import { usageError } from "./errors.ts";
import { shownMessage } from "./followers.ts";
import type { Naming } from "./naming.ts";
import type { Gap } from "./types.ts";
import type { Delivery, Worker } from "./worker.ts";

/** Those of one board, so that closing the board gives back what they hold. */
export class Consumers {
  readonly #open = new Set<Consumer>();

  /** What `Blackboard.consume` does. @throws BlackboardError */
  async join(
    store: Backend,
    names: Naming,
    agent: string,
    channels: string | readonly string[],
    options: ConsumeOptions,
  ): Promise<Consumer> {
    const { begin, ackTimeoutMs, retries, prefetch } = consumeSettings(options);
    const { signal = new AbortController().signal, onState = () => {}, onGap = () => {} } = options;
    const name = names.plain("consumer", options.consumer);
    const how = { begin, ackTimeoutMs, agent, onState };
    const worker = await store.work(name, names.selection(channels), how);
    const shown = (whole: string) => names.shown(whole);
    const onClose = () => this.#open.delete(consumer);
    const settings = { consumer: name, retries, prefetch, signal, onGap, onClose, shown };
    const consumer = new Consumer(worker, settings);
    this.#open.add(consumer);
    return consumer;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((consumer) => consumer.close()));
  }
}

export interface ConsumerSettings {
  readonly consumer: string;
  /** How often a failed message is tried again; `null`: for ever. */
  readonly retries: number | null;
  /** How many messages are taken at once, the one being handled included. */
  readonly prefetch: number;
  readonly signal: AbortSignal;
  readonly onGap: (gap: Gap["gap"]) => void;
  readonly onClose: () => void;
  /** A whole name as the user knows it. */
  readonly shown: (whole: string) => string;
}

/**
 * One worker of a consumer: the messages it is handed, each once, until it is closed. Every message must be
 * acknowledged (`ack`) or failed (`fail`); what is neither goes to another worker when this one is closed.
 */
export class Consumer implements AsyncIterable<Delivery> {
  readonly #worker: Worker;
  readonly #settings: ConsumerSettings;
  /** Taken and not handed out yet. */
  readonly #ahead: Array<Delivery | Gap> = [];
  /** Behind each delivery handed out, the store's own of it. */
  readonly #originals = new WeakMap<Delivery, Delivery>();

  constructor(worker: Worker, settings: ConsumerSettings) {
    this.#worker = worker;
    this.#settings = settings;
  }

  /**
   * The next message, once there is one; `null` if it was closed. One call at a time.
   * @param signal ends the waiting with `null`
   * @throws BlackboardError `conflict` if the consumer was deleted
   */
  async next(signal = this.#settings.signal): Promise<Delivery | null> {
    const own = this.#settings.signal;
    // Node 20 never lets go of what `any` makes of a signal that lives on, so not one a message.
    const stop = signal === own ? own : AbortSignal.any([signal, own]);
    while (!stop.aborted) {
      const item = this.#ahead.shift() ?? (await this.#more(stop));
      if (item === undefined) break;
      if ("gap" in item) this.#tellGap(item);
      else if (await this.#isWanted(item)) return this.#handOut(item);
    }
    return null;
  }

  /** One after the other; leaving the loop closes it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Delivery, void, undefined> {
    try {
      for (let next = await this.next(); next !== null; next = await this.next()) yield next;
    } finally {
      await this.close();
    }
  }

  /** It is done: nobody gets it again. */
  async ack(delivery: Delivery): Promise<void> {
    await this.#worker.ack(this.#originalOf(delivery));
  }

  /**
   * It could not be handled. Either it is this worker's again, to be tried once more; or it has gone to `CHANNEL:failed`
   * (`"failed"`); or another worker has taken it over meanwhile (`"lost"`).
   */
  async fail(delivery: Delivery, reason: string): Promise<Delivery | "failed" | "lost"> {
    const original = this.#originalOf(delivery);
    if (this.#isLast(original)) return (await this.#worker.giveUp(original, reason)) ? "failed" : "lost";
    const again = await this.#worker.retry(original);
    return again === null ? "lost" : this.#handOut(again);
  }

  /** Gives it back untried: the next worker to ask has it at once. */
  async release(delivery: Delivery): Promise<void> {
    await this.#worker.release(this.#originalOf(delivery));
  }

  /** Gives back what is neither acknowledged nor failed. Safe to call twice. */
  async close(): Promise<void> {
    this.#settings.onClose();
    await this.#worker.close();
  }

  async #more(stop: AbortSignal): Promise<Delivery | Gap | undefined> {
    this.#ahead.push(...(await this.#worker.take(this.#settings.prefetch, stop)));
    return this.#ahead.shift();
  }

  #tellGap({ gap }: Gap): void {
    this.#settings.onGap({ ...gap, channel: this.#settings.shown(gap.channel) });
  }

  /**
   * Not what this consumer has itself given up, which a pattern may bring back for ever; nor what was tried often
   * enough by workers that did not live to say so.
   */
  async #isWanted(delivery: Delivery): Promise<boolean> {
    if (delivery.message.failure?.consumer === this.#settings.consumer) {
      await this.#worker.ack(delivery);
      return false;
    }
    const { retries } = this.#settings;
    if (retries === null || delivery.attempt <= retries + 1) return true;
    // This attempt was never made.
    const tried = { ...delivery, attempt: delivery.attempt - 1 };
    await this.#worker.giveUp(tried, "its worker ended before it was handled");
    return false;
  }

  #isLast({ attempt }: Delivery): boolean {
    const { retries } = this.#settings;
    return retries !== null && attempt > retries;
  }

  #handOut(original: Delivery): Delivery {
    const delivery = { ...original, message: shownMessage(original.message, this.#settings.shown) };
    this.#originals.set(delivery, original);
    return delivery;
  }

  #originalOf(delivery: Delivery): Delivery {
    const original = this.#originals.get(delivery);
    if (original !== undefined) return original;
    throw usageError("this delivery is not of this consumer");
  }
}
