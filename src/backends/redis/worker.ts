/** A worker of a consumer, on Redis's consumer groups. `core/worker.ts` says what it promises. */
import { setTimeout as sleep } from "node:timers/promises";
import { usageError } from "../../core/errors.ts";
import type { Entry, Gap } from "../../core/types.ts";
import type { Delivery, Worker } from "../../core/worker.ts";
import { Absence } from "./absence.ts";
import { Acks } from "./acks.ts";
import { Bell } from "./bell.ts";
import type { Deadline } from "./deadline.ts";
import { Failures } from "./failures.ts";
import type { Followed } from "./follow.ts";
import { type Place, placeOf } from "./holdings.ts";
import { CHANGES } from "./layout.ts";
import type { Membership } from "./membership.ts";
import { Patience } from "./patience.ts";
import { Presence } from "./presence.ts";
import { type SelectedPlace, selected } from "./selected.ts";
import { Supply, type SupplyPlace } from "./supply.ts";

export type WorkerPlace = SupplyPlace & SelectedPlace;

/** The longest between two looks for what other workers left behind, in milliseconds. */
const LONGEST_PERIOD_MS = 5000;

export class RedisWorker implements Worker<Entry> {
  readonly #place: WorkerPlace;
  readonly #membership: Membership;
  readonly #followed: Followed;
  readonly #supply: Supply;
  readonly #absence: Absence;
  readonly #patience: Patience;
  readonly #acks: Acks;
  readonly #failures: Failures;
  readonly #bell = new Bell();
  readonly #stop = new AbortController();
  /** Taken and not handed on yet. */
  readonly #taken: Array<Delivery<Entry> | Gap> = [];
  #presence: Presence | null = null;
  /** The end of what is being done with the supply, one thing after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #isFetching = false;
  #failure: { readonly error: unknown } | null = null;
  #leaving: Promise<void> | null = null;

  private constructor(place: WorkerPlace, membership: Membership) {
    this.#place = place;
    this.#membership = membership;
    this.#followed = selected(place, membership.selection);
    this.#absence = new Absence(membership.options.onState);
    this.#patience = new Patience(place.link, this.#absence);
    this.#acks = new Acks(place, membership.consumer, this.#patience);
    this.#failures = new Failures(place, membership, this.#patience);
    const { source } = this.#followed;
    const onDue = (channel: string): void => this.#hear(channel);
    this.#supply = new Supply(place, membership, { source, acks: this.#acks, onDue });
    this.onEnd(() => this.#supply.succession.end());
  }

  /** @throws UnreachableError, or another BlackboardError if the server refuses */
  static async join(place: WorkerPlace, membership: Membership): Promise<RedisWorker> {
    const worker = new RedisWorker(place, membership);
    try {
      await worker.#enter(place.link.deadline());
      return worker;
    } catch (error) {
      worker.abandon();
      throw error;
    }
  }

  /** Called when it is closed, or abandoned. */
  onEnd(listener: () => void): void {
    this.#stop.signal.addEventListener("abort", listener, { once: true });
  }

  async take(most: number, signal: AbortSignal): Promise<ReadonlyArray<Delivery<Entry> | Gap>> {
    while (!signal.aborted && !this.#stop.signal.aborted) {
      const items = this.#handOn(most);
      if (items.length > 0) return items;
      if (this.#failure !== null) throw this.#failure.error;
      if (this.#supply.isPromising) this.#fetch(most);
      else if (!this.#isFetching) this.#supply.succession.tell(this.#membership.options.onState);
      await this.#bell.wait(signal).catch(() => undefined); // aborted: nobody waits any more
    }
    return [];
  }

  async ack(delivery: Delivery<Entry>): Promise<void> {
    await this.#supply.ack(this.#placeOf(delivery));
  }

  async retry(delivery: Delivery<Entry>): Promise<Delivery<Entry> | null> {
    const place = this.#placeOf(delivery);
    const isOurs = await this.#failures.tryAgain(place);
    if (!isOurs) this.#supply.holdings.delete(place.channel, place.id);
    return isOurs ? { ...delivery, attempt: delivery.attempt + 1 } : null;
  }

  async giveUp(delivery: Delivery<Entry>, reason: string): Promise<boolean> {
    const place = this.#placeOf(delivery);
    const isOurs = await this.#failures.giveUp(place, delivery, reason);
    this.#supply.holdings.delete(place.channel, place.id);
    return isOurs;
  }

  async release(delivery: Delivery<Entry>): Promise<void> {
    const place = this.#placeOf(delivery);
    this.#supply.holdings.delete(place.channel, place.id);
    await this.#patience.run((deadline) => this.#supply.release(place, deadline));
  }

  close(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  /** Ends at once; what it holds comes to others when its time is up. */
  abandon(): void {
    this.#stop.abort();
    this.#bell.ring();
    this.#patience.end();
    this.#presence?.close();
  }

  async #enter(deadline: Deadline): Promise<void> {
    const { consumer, member, options } = this.#membership;
    await this.#supply.join(options.begin, deadline);
    const presence = {
      consumer,
      member,
      followed: this.#followed,
      onNews: (channel: string) => this.#hearOf(channel),
      onNudge: (channel: string) => this.#hear(channel),
      onState: this.#absence.hear,
      onReturn: () => this.#comeBack(),
      onFailure: (error: unknown) => this.#fail(error),
    };
    this.#presence = await Presence.enter(this.#place, presence, deadline);
    await this.#supply.hearAll(deadline);
    void this.#keepUp();
  }

  /** Something new, which is not to be had while there is something older to wait for. */
  #hearOf(channel: string): void {
    if (!this.#supply.succession.waitsIn(channel)) this.#hear(channel);
  }

  #hear(channel: string): void {
    const isOfAnother = channel !== CHANGES && !this.#followed.source.matches(channel); // selection of the same consumer
    if (isOfAnother) return;
    this.#supply.hear(channel);
    this.#bell.ring();
  }

  #comeBack(): void {
    const catchUp = async (deadline: Deadline): Promise<void> => {
      await this.#supply.settle(deadline);
      await this.#supply.hearAll(deadline);
      this.#bell.ring();
    };
    this.#inTurn(catchUp).catch((error: unknown) => this.#fail(error));
  }

  /** Renews what it holds, and looks for what others left behind. */
  async #keepUp(): Promise<void> {
    const periodMs = Math.min(this.#membership.options.ackTimeoutMs / 3, LONGEST_PERIOD_MS);
    try {
      for (;;) {
        await sleep(periodMs, undefined, { signal: this.#stop.signal });
        await this.#inTurn((deadline) => this.#supply.settle(deadline));
        await this.#inTurn((deadline) => this.#supply.look(deadline));
        this.#bell.ring();
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #fetch(most: number): void {
    if (this.#isFetching) return;
    this.#isFetching = true;
    this.#inTurn((deadline) => this.#supply.take(most, deadline))
      .then(
        (items) => {
          this.#taken.push(...items);
          if (this.#supply.isUnsettled) this.#settle(); // others are waiting for it
        },
        (error: unknown) => this.#fail(error),
      )
      .finally(() => {
        this.#isFetching = false;
        this.#bell.ring();
      });
  }

  #settle(): void {
    this.#inTurn((deadline) => this.#supply.settle(deadline)).catch((error: unknown) => this.#fail(error));
  }

  #inTurn<Result>(work: (deadline: Deadline) => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(() => this.#patience.run(work));
    this.#turn = done.catch(() => undefined); // whoever asked is told
    return done;
  }

  /** What was taken for a larger question may be too much for this one. */
  #handOn(most: number): ReadonlyArray<Delivery<Entry> | Gap> {
    let messages = 0;
    const tooMany = this.#taken.findIndex((item) => !("gap" in item) && ++messages > most);
    return this.#taken.splice(0, tooMany < 0 ? this.#taken.length : tooMany);
  }

  #placeOf({ entry }: Delivery<Entry>): Place {
    if (this.#stop.signal.aborted) throw usageError("the worker is closed");
    return placeOf(entry);
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#failure ??= { error };
    this.#bell.ring();
  }

  async #leave(): Promise<void> {
    this.#stop.abort();
    this.#bell.ring();
    this.#patience.end();
    await this.#acks.settled();
    // If the store is away, others get what it holds when its time is up.
    await this.#inTurn((deadline) => this.#supply.leave(deadline)).catch(() => undefined);
    this.#presence?.close();
    await this.#presence?.ended;
  }
}
