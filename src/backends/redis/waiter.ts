/**
 * One who stands in line for a lock. It listens on a channel of its own, which also shows that it lives; asks; and asks again when it is
 * told to, or at the moment the answer named. See `lock-library.ts`.
 */
import { setAlarm } from "../../core/alarm.ts";
import type { Grant } from "../../core/lock.ts";
import type { FollowState } from "../../core/types.ts";
import { Bell } from "./bell.ts";
import type { Deadline } from "./deadline.ts";
import { turnOf } from "./layout.ts";
import { type Ear, Session } from "./session.ts";
import { Sessions, type Subscriber, type SubscriberPlace } from "./sessions.ts";

/** Runs ACQUIRE: what was granted; or in how many milliseconds to ask again. It must be `unavailable` if no answer comes. */
export type Ask = (deadline: Deadline) => Promise<Grant | number>;

/** A little more than a timer may come too early. */
const LATER_MS = 1;

export class Waiter {
  readonly #place: SubscriberPlace;
  readonly #ear: Ear;
  readonly #ask: Ask;
  readonly #bell = new Bell();
  readonly #done = new AbortController();
  #grant: Grant | null = null;
  readonly #granted = new Promise<unknown>((resolve) => {
    this.#done.signal.addEventListener("abort", resolve, { once: true });
  });
  /** By the process's clock. */
  #askAt = 0;

  constructor(place: SubscriberPlace, token: string, ask: Ask) {
    this.#place = place;
    this.#ask = ask;
    this.#ear = {
      channelArguments: [turnOf(place.layout, token)],
      patternArguments: [],
      restart: () => {},
      receive: (_pattern, _channel, payload) => {
        const ms = Number(payload); // none: 0
        if (Number.isFinite(ms)) this.#hear(ms);
      },
    };
  }

  /**
   * Until it is granted, or the signal is aborted, over absences of the server: `null` is for the latter.
   * @throws what makes going on pointless
   */
  async wait(signal: AbortSignal, onState: (state: FollowState) => void): Promise<Grant | null> {
    const subscriber: Subscriber = {
      ...this.#place,
      patient: true,
      onState,
      open: (deadline) => Session.open({ ...this.#place, after: Infinity }, this.#ear, () => {}, deadline),
      catchUp: async (_session, _since, lost) => {
        await this.#inquire(lost); // what was said meanwhile was not heard
        return 0;
      },
      goOn: (_session, lost) => this.#goOn(lost),
    };
    const sessions = new Sessions(subscriber, AbortSignal.any([signal, this.#done.signal]));
    await Promise.race([sessions.run(), this.#granted]); // whoever has it need not wait for the end of listening
    return this.#grant;
  }

  async #goOn(lost: AbortSignal): Promise<void> {
    while (this.#grant === null && !lost.aborted) {
      await this.#moment(lost);
      await this.#inquire(lost);
    }
  }

  /** What is heard before the answer comes may be newer than the answer. */
  async #inquire(lost: AbortSignal): Promise<void> {
    this.#askAt = Infinity;
    const answer = await this.#ask(this.#place.link.deadline(lost));
    if (typeof answer === "number") return this.#hear(answer);
    this.#grant = answer;
    this.#done.abort();
  }

  #hear(ms: number): void {
    const later = ms === 0 ? 0 : ms + LATER_MS;
    this.#askAt = Math.min(this.#askAt, performance.now() + later);
    this.#bell.ring();
  }

  /** Resolves when it is time to ask. @throws AbortedError */
  async #moment(lost: AbortSignal): Promise<void> {
    for (;;) {
      const leftMs = this.#askAt - performance.now();
      if (leftMs <= 0) return;
      const callOff = setAlarm(leftMs, () => this.#bell.ring());
      await this.#bell.wait(lost).finally(callOff);
    }
  }
}
