/** A subscription, or a watch, of the library: what comes is taken at once and kept. */
import type { Entry, Gap } from "../../src/core/types.ts";
import type { ConsumeOptions, Consumer, Follower, WatchOptions as LibraryOptions } from "../../src/index.ts";
import { until, within } from "../helpers/until.ts";
import { type Ending, isEntry, type Subscription, type WatchOptions } from "./driver.ts";
import { asked } from "./library-asked.ts";

/** The board's own calls, for what is selected. */
export interface Source<Item extends Entry> {
  follow(how: LibraryOptions): Follower<Item>;
  consume(how: ConsumeOptions): Promise<Consumer<Item>>;
}

export class LibrarySubscription<Item extends Entry> implements Subscription<Item> {
  ended: Promise<Ending> = Promise.resolve("closed");
  readonly #options: WatchOptions;
  readonly #items: (Item | Gap)[] = [];
  readonly #stop = new AbortController();
  #over = false;

  private constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Resolves when it is ready. */
  static async start<Item extends Entry>(options: WatchOptions, source: Source<Item>) {
    const subscription = new LibrarySubscription<Item>(options);
    const entries = await asked(subscription.#entries(source));
    subscription.ended = asked(subscription.#run(entries)).finally(() => {
      subscription.#over = true;
    });
    subscription.ended.catch(() => {}); // whoever awaits it is told
    return subscription;
  }

  async take(count: number) {
    await until(`${count} messages`, () => this.seen().length >= count || this.#over);
    if (this.seen().length < count) {
      await this.ended; // with its error, if there was one
      throw new Error(`it ended after ${this.seen().length} messages`);
    }
    return this.seen().slice(0, count);
  }

  seen() {
    return this.#items.filter((item) => isEntry(item));
  }

  items() {
    return this.#items;
  }

  async close() {
    this.#stop.abort();
    await within(
      "the end of a subscription",
      this.ended.catch(() => {}),
    );
  }

  async #entries(source: Source<Item>): Promise<AsyncIterable<Item>> {
    const { count: _, waitMs: __, consumer, begin, ...from } = this.#options;
    const how = { signal: this.#stop.signal, onGap: (gap: Gap["gap"]) => void this.#items.push({ gap }) };
    if (consumer === undefined) {
      const follower = source.follow({ ...how, ...from });
      await follower.ready;
      return follower;
    }
    return acknowledged(
      await source.consume({ ...how, consumer, ...(begin === undefined ? {} : { begin }) }),
    );
  }

  async #run(entries: AsyncIterable<Item>): Promise<Ending> {
    const { count, waitMs, live } = this.#options;
    let late = false;
    const giveUp = () => {
      late = true;
      this.#stop.abort();
    };
    const timer = waitMs === undefined ? undefined : setTimeout(giveUp, waitMs);
    let seen = 0;
    try {
      for await (const entry of entries) {
        this.#items.push(entry);
        if (++seen === count) return "done";
      }
      if (live === false) return "done";
      return late ? "timeout" : "closed";
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Each one is acknowledged when it was handed on; what is asked for next comes after that. */
async function* acknowledged<Item extends Entry>(consumer: Consumer<Item>): AsyncGenerator<Item> {
  for await (const delivery of consumer) {
    await consumer.ack(delivery);
    yield delivery.entry;
  }
}
