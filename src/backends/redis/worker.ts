/** A worker of a consumer, on Redis's consumer groups. `core/worker.ts` says what it promises. */
import { setTimeout as sleep } from "node:timers/promises";
import { usageError } from "../../core/errors.ts";
import { writeFailure } from "../../core/failure.ts";
import type { Gap } from "../../core/types.ts";
import { type Delivery, failedChannelOf, type Worker } from "../../core/worker.ts";
import { Absence } from "./absence.ts";
import { Acks } from "./acks.ts";
import { Bell } from "./bell.ts";
import type { Argument } from "./connection.ts";
import type { Deadline } from "./deadline.ts";
import { Patience } from "./patience.ts";
import { Presence } from "./presence.ts";
import { asNumber, type Reply } from "./replies.ts";
import type { Script } from "./scripts.ts";
import type { SubscriberPlace } from "./sessions.ts";
import { type Membership, Supply, type SupplyPlace } from "./supply.ts";
import { GIVE_UP, RETRY } from "./worker-scripts.ts";

export type WorkerPlace = SupplyPlace & SubscriberPlace;

/** The longest between two looks for what other workers left behind, in milliseconds. */
const LONGEST_PERIOD_MS = 5000;

export class RedisWorker implements Worker {
  readonly #place: WorkerPlace;
  readonly #membership: Membership;
  readonly #supply: Supply;
  readonly #absence: Absence;
  readonly #patience: Patience;
  readonly #acks: Acks;
  readonly #bell = new Bell();
  readonly #stop = new AbortController();
  /** Taken and not handed on yet. */
  readonly #taken: Array<Delivery | Gap> = [];
  #presence: Presence | null = null;
  /** The end of what is being done with the supply, one thing after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #isFetching = false;
  #failure: { readonly error: unknown } | null = null;
  #leaving: Promise<void> | null = null;

  private constructor(place: WorkerPlace, membership: Membership) {
    this.#place = place;
    this.#membership = membership;
    this.#supply = new Supply(place, membership, (channel) => this.#hear(channel));
    this.onEnd(() => this.#supply.succession.end());
    this.#absence = new Absence(membership.options.onState);
    this.#patience = new Patience(place.link, this.#absence);
    this.#acks = new Acks(place, membership.consumer, this.#patience);
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

  async take(most: number, signal: AbortSignal): Promise<ReadonlyArray<Delivery | Gap>> {
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

  async ack(delivery: Delivery): Promise<void> {
    const { channel, id } = this.#entryOf(delivery);
    await this.#acks.add(channel, id);
    this.#supply.holdings.delete(channel, id); // until then it must be renewed
  }

  async retry(delivery: Delivery): Promise<Delivery | null> {
    const { channel, id } = this.#entryOf(delivery);
    const isOurs = asNumber(await this.#tell(RETRY, [channel, id])) === 1;
    if (!isOurs) this.#supply.holdings.delete(channel, id);
    return isOurs ? { ...delivery, attempt: delivery.attempt + 1 } : null;
  }

  async giveUp(delivery: Delivery, reason: string): Promise<boolean> {
    const { channel, id } = this.#entryOf(delivery);
    const failure = this.#failureOf(delivery, reason);
    const { db } = this.#place.address;
    const args = [channel, id, failedChannelOf(channel), delivery.message.payload, db, failure];
    let isSent = false;
    const outcome = await this.#tell(GIVE_UP, args, () => {
      isSent = true;
    });
    this.#supply.holdings.delete(channel, id);
    // Acknowledged already, after an attempt that was not answered: that was ours.
    return asNumber(outcome) === 1 || (asNumber(outcome) === -1 && isSent);
  }

  async release(delivery: Delivery): Promise<void> {
    const { channel, id } = this.#entryOf(delivery);
    this.#supply.holdings.delete(channel, id);
    await this.#patience.run((deadline) => this.#supply.release(channel, id, deadline));
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
    const { consumer, member, selection, options } = this.#membership;
    await this.#supply.join(options.begin, deadline);
    const presence = {
      consumer,
      member,
      selection,
      onNews: (channel: string) => this.#hearOf(channel),
      onNudge: (channel: string) => this.#hear(channel),
      onState: this.#absence.hear,
      onReturn: () => this.#comeBack(),
      onFailure: (error: unknown) => this.#fail(error),
    };
    this.#presence = await Presence.enter(this.#place, presence, deadline);
    await this.#supply.hearAll(this.#selects, deadline);
    void this.#keepUp();
  }

  readonly #selects = (channel: string): boolean => this.#presence?.selects(channel) ?? false;

  /** Something new, which is not to be had while there is something older to wait for. */
  #hearOf(channel: string): void {
    if (!this.#supply.succession.waitsIn(channel)) this.#hear(channel);
  }

  #hear(channel: string): void {
    if (channel !== "" && !this.#selects(channel)) return; // of another selection of the same consumer
    this.#supply.hear(channel);
    this.#bell.ring();
  }

  #comeBack(): void {
    const catchUp = async (deadline: Deadline): Promise<void> => {
      await this.#supply.settle(deadline);
      await this.#supply.hearAll(this.#selects, deadline);
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
        await this.#inTurn((deadline) => this.#supply.look(this.#selects, deadline));
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
        (items) => this.#taken.push(...items),
        (error: unknown) => this.#fail(error),
      )
      .finally(() => {
        this.#isFetching = false;
        this.#bell.ring();
      });
  }

  #inTurn<Result>(work: (deadline: Deadline) => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(() => this.#patience.run(work));
    this.#turn = done.catch(() => undefined); // whoever asked is told
    return done;
  }

  /** What was taken for a larger question may be too much for this one. */
  #handOn(most: number): ReadonlyArray<Delivery | Gap> {
    let messages = 0;
    const tooMany = this.#taken.findIndex((item) => !("gap" in item) && ++messages > most);
    return this.#taken.splice(0, tooMany < 0 ? this.#taken.length : tooMany);
  }

  #tell(script: Script, args: readonly Argument[], onLost = () => {}): Promise<Reply> {
    const { consumer, member } = this.#membership;
    return this.#patience.run(async (deadline) => {
      try {
        return await this.#place.run(script, [consumer, member, ...args], deadline);
      } catch (error) {
        onLost();
        throw error;
      }
    });
  }

  #failureOf({ message, attempt }: Delivery, reason: string): string {
    const { channel, id, by } = message;
    const { consumer } = this.#membership;
    return writeFailure({ channel, id: id ?? "", by: by ?? "", consumer, attempts: attempt, reason });
  }

  #entryOf({ message: { channel, id } }: Delivery): { readonly channel: string; readonly id: string } {
    if (this.#stop.signal.aborted) throw usageError("the worker is closed");
    if (id === null) throw usageError("this delivery is not of this worker");
    return { channel, id };
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
