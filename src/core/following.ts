/** All of a board that follows: messages, changes, and the workers of consumers. Names go in and come out without the prefix. */
import type { Backend, Follower } from "./backend.ts";
import { type ConsumeOptions, type SubscribeOptions, startOf, type WaitOptions } from "./board-options.ts";
import { type Consumer, Consumers } from "./consumer.ts";
import { usageError } from "./errors.ts";
import { endedFollower, type FollowerView, forBoard, shownMessage } from "./followers.ts";
import { watchInitially } from "./initial.ts";
import type { Naming } from "./naming.ts";
import type { Change, ConsumerFacts, Entry, Gap, Message } from "./types.ts";
import { type Found, waitFor } from "./waiting.ts";
import {
  type HistoryOptions,
  historyStartOf,
  type WaitForOptions,
  type WatchOptions,
  waitConditionOf,
  watchStartOf,
} from "./watch-options.ts";
import { changeView } from "./watching.ts";

/** For {@link Blackboard.consume}: the changes of keys, by names or Redis globs. */
export interface KeysWanted {
  readonly keys: string | readonly string[];
}

export function isKeys(of: string | readonly string[] | KeysWanted): of is KeysWanted {
  return typeof of === "object" && of !== null && "keys" in of && typeof of.keys !== "function"; // an array has a method of that name
}

export interface FollowingPlace {
  readonly names: Naming;
  readonly agent: string;
  /** Aborted when the board is closed. */
  readonly closed: AbortSignal;
}

type Names = string | readonly string[];

export class Following {
  readonly #place: FollowingPlace;
  readonly #store: () => Backend;
  readonly #consumers = new Consumers();

  /** @param store throws BlackboardError `usage` if the board is closed */
  constructor(place: FollowingPlace, store: () => Backend) {
    this.#place = place;
    this.#store = store;
  }

  subscribe(channels: Names, options: SubscribeOptions): Follower {
    const from = startOf(options);
    const selection = this.#place.names.selection(channels);
    const { onState = () => {}, live = true } = options;
    return this.#shown(options, this.#messageView, (store) =>
      store.follow(selection, { onState, from, live }),
    );
  }

  watch(keys: Names, options: WatchOptions): Follower<Change> {
    const from = watchStartOf(options);
    const selection = this.#place.names.keySelection(keys);
    const { onState = () => {}, live = true } = options;
    return this.#shown(options, this.#changeView, (store) =>
      from === "initial"
        ? watchInitially(store, selection, { live, onState })
        : store.follow(selection, { onState, from, live }),
    );
  }

  history(key: string, options: HistoryOptions): Follower<Change> {
    const how = { from: historyStartOf(options), live: false, onState: () => {} };
    const selection = { keys: [this.#place.names.known("key", key)], patterns: [] };
    return this.#shown(options, this.#changeView, (store) => store.follow(selection, how));
  }

  async wait(keys: Names, options: WaitForOptions): Promise<readonly Found[]> {
    const { names } = this.#place;
    const { signal, onState = () => {}, timeoutMs } = options;
    const condition = waitConditionOf(options);
    const wanted = names.keys(keys);
    if (wanted.length === 0) throw usageError("no key to wait for");
    const found = await waitFor(this.#store(), wanted, condition, { signal, onState, timeoutMs }).catch(
      this.#explain,
    );
    return found.map(({ key, reading }) => {
      const shown = names.shown(key);
      return { key: shown, reading: reading && { ...reading, key: shown } };
    });
  }

  consume(channels: Names, options: ConsumeOptions): Promise<Consumer> {
    const { names, agent, closed } = this.#place;
    const selection = names.selection(channels);
    const view = { view: this.#messageView, shown: names.shown };
    return this.#consumers.join(options, { ...view, closed }, (how) =>
      this.#store().work(names.plain("consumer", options.consumer), selection, { ...how, agent }),
    );
  }

  consumeChanges(keys: Names, options: ConsumeOptions): Promise<Consumer<Change>> {
    const { names, agent, closed } = this.#place;
    const selection = names.keySelection(keys);
    const view = { view: this.#changeView, shown: names.shown };
    return this.#consumers.join(options, { ...view, closed }, (how) =>
      this.#store().work(names.plain("consumer", options.consumer), selection, { ...how, agent }),
    );
  }

  async consumers(): Promise<ConsumerFacts[]> {
    const { shown } = this.#place.names;
    const facts = await this.#store().consumers();
    return facts.map((one) => ({
      ...one,
      channels: one.channels.map((of) => ({ ...of, channel: of.channel && shown(of.channel) })),
    }));
  }

  /** Gives back what consumers hold. */
  close(): Promise<void> {
    return this.#consumers.close();
  }

  readonly #messageView = (message: Message): Message => shownMessage(message, this.#place.names.shown);

  /** What fails because the board was closed says so. */
  readonly #explain = (error: unknown): never => {
    throw this.#place.closed.aborted ? usageError("the board is closed") : error;
  };

  get #changeView() {
    return changeView({ store: this.#store(), shown: this.#place.names.shown });
  }

  #shown<Item extends Entry>(
    { signal, onGap = () => {} }: Pick<WaitOptions, "signal" | "onGap">,
    view: FollowerView<Item>["view"],
    follow: (store: Backend) => Follower<Item | Gap>,
  ): Follower<Item> {
    if (signal?.aborted) return endedFollower();
    const { names, closed } = this.#place;
    return forBoard(follow(this.#store()), { view, shown: names.shown, onGap, signal }, closed);
  }
}
