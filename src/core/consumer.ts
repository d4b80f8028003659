/** A worker as a board's user has it: names without the prefix, gaps told, and an end to trying again. */
import { type ConsumeOptions, consumeSettings } from "./board-options.ts";
import { isChange } from "./entry.ts";
import { usageError } from "./errors.ts";
import { type FollowerView, shownGap } from "./followers.ts";
import type { Entry, Gap, Message } from "./types.ts";
import type { Delivery, Worker, WorkerOptions } from "./worker.ts";

/** Those of one board, so that closing the board gives back what they hold. */
export class Consumers {
  readonly #open = new Set<{ close(): Promise<void> }>();

  /** @param work joins the workers of the consumer, told how. @throws BlackboardError */
  async join<Item extends Entry>(
    options: ConsumeOptions,
    { view, shown, closed }: Pick<FollowerView<Item>, "view" | "shown"> & { readonly closed: AbortSignal },
    work: (how: Omit<WorkerOptions, "agent">) => Promise<Worker<Item>>,
  ): Promise<Consumer<Item>> {
    const { begin, ackTimeoutMs, retries, prefetch } = consumeSettings(options);
    const { onState = () => {}, onGap = () => {} } = options;
    const signal = options.signal ? AbortSignal.any([options.signal, closed]) : closed;
    const worker = await work({ begin, ackTimeoutMs, onState });
    const onClose = () => this.#open.delete(consumer);
    const settings = { consumer: options.consumer, retries, prefetch, signal, onGap, onClose, view, shown };
    const consumer = new Consumer(worker, settings);
    this.#open.add(consumer);
    return consumer;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((consumer) => consumer.close()));
  }
}

export interface ConsumerSettings<Item extends Entry> extends Omit<FollowerView<Item>, "signal"> {
  readonly consumer: string;
  /** How often a failed message is tried again; `null`: for ever. */
  readonly retries: number | null;
  /** How many messages are taken at once, the one being handled included. */
  readonly prefetch: number;
  readonly signal: AbortSignal;
  readonly onClose: () => void;
}

/**
 * One worker of a consumer: the messages (or changes) it is handed, each once, until it is closed. Every one must be
 * acknowledged (`ack`) or failed (`fail`); what is neither goes to another worker when this one is closed.
 */
export class Consumer<Item extends Entry = Message> implements AsyncIterable<Delivery<Item>> {
  readonly #worker: Worker<Item>;
  readonly #settings: ConsumerSettings<Item>;
  /** Taken and not handed out yet. */
  readonly #ahead: Array<Delivery<Item> | Gap> = [];
  /** Behind each delivery handed out, the store's own of it. */
  readonly #originals = new WeakMap<Delivery<Item>, Delivery<Item>>();

  constructor(worker: Worker<Item>, settings: ConsumerSettings<Item>) {
    this.#worker = worker;
    this.#settings = settings;
  }

  /**
   * The next message, once there is one; `null` if it was closed. One call at a time.
   * @param signal ends the waiting with `null`
   * @throws BlackboardError `conflict` if the consumer was deleted
   */
  async next(signal = this.#settings.signal): Promise<Delivery<Item> | null> {
    const own = this.#settings.signal;
    // Node 20 never lets go of what `any` makes of a signal that lives on, so not one a message.
    const stop = signal === own ? own : AbortSignal.any([signal, own]);
    while (!stop.aborted) {
      const item = this.#ahead.shift() ?? (await this.#more(stop));
      if (item === undefined) break;
      if ("gap" in item) this.#tellGap(item);
      else if (await this.#isWanted(item)) return this.#handOut(item, stop);
    }
    return null;
  }

  /** One after the other; leaving the loop closes it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Delivery<Item>, void, undefined> {
    try {
      for (let next = await this.next(); next !== null; next = await this.next()) yield next;
    } finally {
      await this.close();
    }
  }

  /** It is done: nobody gets it again. */
  async ack(delivery: Delivery<Item>): Promise<void> {
    await this.#worker.ack(this.#originalOf(delivery));
  }

  /**
   * It could not be handled. Either it is this worker's again, to be tried once more; or it has gone to `CHANNEL:failed`
   * (`"failed"`); or another worker has taken it over meanwhile (`"lost"`).
   */
  async fail(delivery: Delivery<Item>, reason: string): Promise<Delivery<Item> | "failed" | "lost"> {
    const original = this.#originalOf(delivery);
    if (this.#isLast(original)) {
      const whole = { ...original, entry: withValueOf(delivery.entry, original.entry) };
      return (await this.#worker.giveUp(whole, reason)) ? "failed" : "lost";
    }
    const again = await this.#worker.retry(original);
    return again === null ? "lost" : this.#handOut(again, this.#settings.signal);
  }

  /** Gives it back untried: the next worker to ask has it at once. */
  async release(delivery: Delivery<Item>): Promise<void> {
    await this.#worker.release(this.#originalOf(delivery));
  }

  /** Gives back what is neither acknowledged nor failed. Safe to call twice. */
  async close(): Promise<void> {
    this.#settings.onClose();
    await this.#worker.close();
  }

  async #more(stop: AbortSignal): Promise<Delivery<Item> | Gap | undefined> {
    this.#ahead.push(...(await this.#worker.take(this.#settings.prefetch, stop)));
    return this.#ahead.shift();
  }

  #tellGap(gap: Gap): void {
    this.#settings.onGap(shownGap(gap, this.#settings.shown));
  }

  /**
   * Not what this consumer has itself given up, which a pattern may bring back for ever; nor what was tried often
   * enough by workers that did not live to say so.
   */
  async #isWanted(delivery: Delivery<Item>): Promise<boolean> {
    const { entry } = delivery;
    if (!isChange(entry) && entry.failure?.consumer === this.#settings.consumer) {
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

  #isLast({ attempt }: Delivery<Item>): boolean {
    const { retries } = this.#settings;
    return retries !== null && attempt > retries;
  }

  async #handOut(original: Delivery<Item>, stop: AbortSignal): Promise<Delivery<Item>> {
    const delivery = { ...original, entry: await this.#settings.view(original.entry, stop) };
    this.#originals.set(delivery, original);
    return delivery;
  }

  #originalOf(delivery: Delivery<Item>): Delivery<Item> {
    const original = this.#originals.get(delivery);
    if (original !== undefined) return original;
    throw usageError("this delivery is not of this consumer");
  }
}

/** The store's own of an entry, with the value that was fetched for it. */
function withValueOf<Item extends Entry>(shown: Item, original: Item): Item {
  return isChange(shown) && isChange(original) ? { ...original, value: shown.value } : original;
}
