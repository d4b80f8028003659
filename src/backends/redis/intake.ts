/**
 * What a follower gets, from the log and by its subscription, on its way to the loop: each message once, by number.
 *
 * What the subscription delivers is handed on; or held back while the log is read; or, when there is no room for it,
 * let go and noted: then the follower is behind, and the log has it.
 */
import { contentOf } from "../../core/entry.ts";
import type { Entry, Gap } from "../../core/types.ts";
import { Bell } from "./bell.ts";
import { Inbox, OVERHEAD } from "./inbox.ts";
import type { Logged } from "./log.ts";
import { Progress } from "./progress.ts";
import type { Delivery } from "./subscription.ts";

/** 4 MiB: what may be held back, in bytes. */
const HELD = 4 * 1024 * 1024;

export class Intake {
  readonly inbox = new Inbox<Entry | Gap>();
  readonly progress = new Progress();
  #mode: "live" | "held" | "behind" = "held";
  readonly #fellBehind = new Bell();
  #held: Delivery[] = [];
  #heldBytes = 0;

  get isBehind(): boolean {
    return this.#mode === "behind";
  }

  /** Resolves when there was no room for what the subscription delivered. @throws AbortedError */
  async behind(signal: AbortSignal): Promise<void> {
    while (!this.isBehind) await this.#fellBehind.wait(signal);
  }

  /** From now on deliveries are held back. */
  holdBack(): void {
    this.#mode = "held";
    this.#held = [];
    this.#heldBytes = 0;
  }

  /** What the subscription delivers. */
  receive(delivery: Delivery): void {
    if (this.#mode === "live") this.#pass(delivery);
    else if (this.#mode === "held") this.#hold(delivery);
    else this.#miss(delivery);
  }

  /** The newest messages of channels, which are there and do not come by the subscription. */
  expect(newest: ReadonlyMap<string, number>): void {
    for (const [channel, number] of newest) this.progress.miss(channel, number);
  }

  /** An entry of the log. False if it was handed on already, or is not of what is followed. */
  async handOn({ number, channel, before, entry }: Logged, signal: AbortSignal): Promise<boolean> {
    if (number <= this.progress.last) return false;
    const gap = this.progress.take(channel, number, before);
    if (gap !== null) this.inbox.push(gap, 0);
    if (entry !== null) await this.#push(entry, signal);
    return entry !== null;
  }

  /** What was held back of lesser numbers and is in no log: a board may keep none. Foreign ones go with these. */
  async handOnHeld(below: number, signal: AbortSignal): Promise<void> {
    for (let next = this.#held[0]; next !== undefined; next = this.#held[0]) {
      if (next.number !== null && next.number >= below) return;
      this.#held.shift();
      this.#heldBytes -= sizeOf(next);
      const { number, channel, entry } = next;
      if (number === null) await this.#push(entry, signal);
      else await this.handOn({ number, channel, before: 0, entry }, signal);
    }
  }

  /** All up to a number has been read from the log: tells what was not there. */
  finish(upTo: number): void {
    for (const gap of this.progress.rest(this.isBehind ? upTo : Infinity)) this.inbox.push(gap, 0);
    this.progress.advance(Math.max(upTo, this.progress.last));
  }

  /** From now on deliveries are handed on as they come, those held back first. */
  goLive(): void {
    const held = this.#held;
    this.holdBack();
    this.progress.settle();
    this.#mode = "live";
    for (const delivery of held) this.receive(delivery);
  }

  async #push(entry: Entry, signal: AbortSignal): Promise<void> {
    this.inbox.push(entry, contentOf(entry).length);
    if (this.inbox.isFull) await this.inbox.emptied(signal);
  }

  #pass({ number, entry }: Delivery): void {
    if (number !== null) {
      if (number <= this.progress.last) return;
      this.progress.advance(number);
    }
    this.inbox.push(entry, contentOf(entry).length);
    if (this.inbox.isFull) this.#fallBehind();
  }

  #hold(delivery: Delivery): void {
    this.#held.push(delivery);
    this.#heldBytes += sizeOf(delivery);
    if (this.#heldBytes >= HELD) this.#fallBehind();
  }

  #fallBehind(): void {
    const held = this.#held;
    this.holdBack();
    this.#mode = "behind";
    for (const delivery of held) this.#miss(delivery);
    this.#fellBehind.ring();
  }

  /** A foreign message is in no log; only such a one is lost. */
  #miss({ number, channel }: Delivery): void {
    if (number !== null && number > this.progress.last) this.progress.miss(channel, number);
  }
}

function sizeOf({ entry }: Delivery): number {
  return contentOf(entry).length + OVERHEAD;
}
