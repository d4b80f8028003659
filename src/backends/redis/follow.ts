/**
 * A follower: sessions one after the other, joined without a gap.
 *
 * When a session is lost, the next one subscribes first and holds back what arrives, then takes from the logs what was
 * sent after the last message seen, then lets the held back go on. An id that is not greater than the last one seen was
 * handed on before.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Follower } from "../../core/backend.ts";
import { BlackboardError } from "../../core/errors.ts";
import { msToNumber } from "../../core/ids.ts";
import { Queue } from "../../core/queue.ts";
import type { FollowState, Message, Selection } from "../../core/types.ts";
import { type Missed, readMissed } from "./catch-up.ts";
import type { Link } from "./link.ts";
import { Session, type SessionPlace } from "./session.ts";
import { type Delivery, Subscription } from "./subscription.ts";

/** Where a follower follows. The link reads the logs: a subscriber's own connection cannot. */
export interface FollowPlace extends Omit<SessionPlace, "after"> {
  readonly link: Link;
  /** How long the server may be silent. */
  readonly timeoutMs: number;
}

export interface FollowStart {
  readonly onState: (state: FollowState) => void;
  /** Whether to wait for a server that is away at the start, instead of rejecting `ready`. */
  readonly patient: boolean;
}

/** Pauses between attempts to come back, in milliseconds; doubled each time, and cut by up to half at random. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;

const NOTHING: Missed = { deliveries: [], lost: false };

/** Starts at once; the iteration takes what has come. */
export function startFollower(place: FollowPlace, selection: Selection, start: FollowStart): RedisFollower {
  return new RedisFollower(place, selection, start);
}

export class RedisFollower implements Follower {
  readonly ready: Promise<void>;
  /** Resolves when nothing of it runs any more. */
  readonly ended: Promise<void>;
  readonly #place: FollowPlace;
  readonly #start: FollowStart;
  readonly #subscription: Subscription;
  readonly #queue = new Queue<Message>();
  readonly #stop = new AbortController();
  #resolveReady: () => void = () => undefined;
  #rejectReady: (error: unknown) => void = () => undefined;
  readonly #begunAt = performance.now();
  #session: Session | null = null;
  #awaySince: number | null = null;
  /** The number of the last log entry seen; `null` before the first session. */
  #last: number | null = null;
  #heldBack: Delivery[] | null = null;

  constructor(place: FollowPlace, selection: Selection, start: FollowStart) {
    this.#place = place;
    this.#start = start;
    this.#subscription = new Subscription(place.layout, place.address.db, selection);
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    this.ready.catch(() => undefined); // the iteration fails with the same error; nobody need await both
    this.ended = this.#run();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    try {
      yield* this.#queue;
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    this.#queue.end();
    this.#stop.abort();
    this.#session?.close();
    this.#rejectReady(new BlackboardError("unavailable", "the follower was closed before it was ready"));
    await this.ended;
  }

  async #run(): Promise<void> {
    try {
      let pauseMs = FIRST_PAUSE_MS;
      while (!this.#stop.signal.aborted) {
        if (await this.#attempt()) pauseMs = FIRST_PAUSE_MS;
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    } catch (error) {
      this.#rejectReady(error);
      this.#queue.fail(error);
    }
  }

  /** One session from its beginning to its end; whether it came to be. Throws only what makes going on pointless. */
  async #attempt(): Promise<boolean> {
    try {
      const session = await this.#open();
      const over = session.watch(this.#place.timeoutMs);
      await this.#takeUp(session);
      this.#leave(await over);
      return true;
    } catch (error) {
      if (this.#stop.signal.aborted) return false;
      if (!this.#canWait(error)) throw error;
      this.#leave(error.message);
      return false;
    } finally {
      this.#session?.close();
      this.#session = null;
    }
  }

  async #open(): Promise<Session> {
    const { link } = this.#place;
    link.checkOpen();
    this.#heldBack = [];
    const deliver = (delivery: Delivery): void => this.#receive(delivery);
    const deadline = link.deadline(this.#stop.signal);
    const place = { ...this.#place, after: this.#awaySince === null ? Infinity : (this.#last ?? 0) };
    const session = await Session.open(place, this.#subscription, deliver, deadline);
    this.#session = session;
    if (this.#stop.signal.aborted) session.close();
    return session;
  }

  /** From the last message seen to the live ones. */
  async #takeUp(session: Session): Promise<void> {
    const from = this.#positionIn(session);
    const missed = this.#awaySince === null ? NOTHING : await this.#readMissed(session, from);
    this.#last = from;
    if (this.#awaySince !== null) this.#sayBack(this.#awaySince, missed);
    this.#awaySince = null;
    const held = this.#heldBack ?? [];
    this.#heldBack = null;
    for (const delivery of join(missed.deliveries, held)) this.#receive(delivery);

    this.#resolveReady();
  }

  #readMissed({ newest: before }: Session, after: number): Promise<Missed> {
    const { link, layout } = this.#place;
    const { signal } = this.#stop;
    return readMissed({ link, layout, subscription: this.#subscription, after, before, signal });
  }

  /**
   * Where to go on: behind the last entry seen. A counter that is behind it belongs to a server that lost its data and
   * counts anew, so there, as for a follower that waited for its first session, it is the moment since when nothing was
   * heard, by the server's clock.
   */
  #positionIn(session: Session): number {
    if (this.#last !== null && this.#last <= session.position) return this.#last;
    if (this.#awaySince === null) return session.position;
    const since = this.#last === null ? this.#begunAt : this.#awaySince;
    const silentMs = Math.ceil(performance.now() - since);
    return Math.min(session.position, session.clock - msToNumber(silentMs));
  }

  #receive(delivery: Delivery): void {
    if (this.#heldBack !== null) {
      this.#heldBack.push(delivery);
      return;
    }
    if (delivery.number !== null) {
      if (this.#last !== null && delivery.number <= this.#last) return;
      this.#last = delivery.number;
    }
    this.#queue.push(delivery.message);
  }

  #canWait(error: unknown): error is BlackboardError {
    const started = this.#last !== null || this.#start.patient;
    return started && error instanceof BlackboardError && error.kind === "unavailable";
  }

  #leave(reason: string): void {
    if (this.#awaySince !== null || this.#stop.signal.aborted) return;
    this.#awaySince = performance.now();
    this.#start.onState({ state: "away", store: "redis", reason });
  }

  #sayBack(since: number, { deliveries, lost }: Missed): void {
    const awayMs = Math.round(performance.now() - since);
    this.#start.onState({ state: "back", store: "redis", awayMs, recovered: deliveries.length, lost });
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    await sleep(ms * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined); // aborted: closed
  }
}

/**
 * What was read from the logs and what arrived meanwhile, in order. Most of what arrived is in the logs too, and is
 * dropped where it comes a second time; all of it is not: a board may keep no messages.
 */
function join(missed: readonly Delivery[], held: readonly Delivery[]): readonly Delivery[] {
  const upTo = missed.at(-1)?.number ?? 0;
  const isEarly = ({ number }: Delivery): boolean => number !== null && number <= upTo;
  const known = [...missed, ...held.filter(isEarly)];
  known.sort((left, right) => (left.number ?? 0) - (right.number ?? 0));
  return [...known, ...held.filter((delivery) => !isEarly(delivery))];
}
