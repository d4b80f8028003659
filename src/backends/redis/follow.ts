/**
 * A follower: sessions one after the other, joined without a gap.
 *
 * A session subscribes first and holds back what arrives, takes from the logs what was sent since the last message handed
 * on, and then lets the held back go on. When there is no room for what arrives, because the loop is slow, it is let go,
 * and the follower takes it from the logs in the same way once the loop has taken what was there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Follower, FollowOptions } from "../../core/backend.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { Gap, Message, Selection } from "../../core/types.ts";
import { type Beginning, beginAt, locate, numberSince } from "./beginning.ts";
import { catchUp } from "./catch-up.ts";
import { History, type HistoryPlace } from "./history.ts";
import { Intake } from "./intake.ts";
import { Session, type SessionPlace } from "./session.ts";
import { Subscription } from "./subscription.ts";

/** Where a follower follows. */
export interface FollowPlace extends Omit<SessionPlace, "after">, HistoryPlace {
  /** How long the server may be silent. */
  readonly timeoutMs: number;
}

export interface FollowStart extends FollowOptions {
  /** Whether to wait for a server that is away at the start, instead of rejecting `ready`. */
  readonly patient: boolean;
}

/** Pauses between attempts to come back, in milliseconds; doubled each time, and cut by up to half at random. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;

/** Starts at once; the iteration takes what has come. */
export function startFollower(place: FollowPlace, selection: Selection, start: FollowStart): RedisFollower {
  return new RedisFollower(place, selection, start);
}

export class RedisFollower implements Follower<Message | Gap> {
  readonly ready: Promise<void>;
  /** Resolves when nothing of it runs any more. */
  readonly ended: Promise<void>;
  readonly #place: FollowPlace;
  readonly #start: FollowStart;
  readonly #subscription: Subscription;
  readonly #history: History;
  readonly #intake = new Intake();
  readonly #stop = new AbortController();
  #resolveReady: () => void = () => undefined;
  #rejectReady: (error: unknown) => void = () => undefined;
  readonly #begunAt = performance.now();
  #session: Session | null = null;
  #isReady = false;
  #beginning: Beginning | null = null;
  /** Whether it is known where reading begins. */
  #isLocated = false;
  #awaySince: number | null = null;

  constructor(place: FollowPlace, selection: Selection, start: FollowStart) {
    this.#place = place;
    this.#start = start;
    this.#subscription = new Subscription(place.layout, place.address.db, selection);
    this.#history = new History(place, this.#subscription);
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    this.ready.catch(() => undefined); // the iteration fails with the same error; nobody need await both
    this.ended = this.#run();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message | Gap, void, undefined> {
    try {
      yield* this.#intake.inbox;
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    this.#intake.inbox.end();
    this.#stop.abort();
    this.#session?.close();
    this.#rejectReady(new BlackboardError("unavailable", "the follower was closed before it was ready"));
    await this.ended;
  }

  async #run(): Promise<void> {
    try {
      if (this.#start.live) await this.#follow();
      else await this.#replay();
    } catch (error) {
      this.#rejectReady(error);
      this.#intake.inbox.fail(error);
    }
  }

  /** What is there, and no more: nothing is subscribed. */
  async #replay(): Promise<void> {
    const { signal } = this.#stop;
    this.#place.link.checkOpen();
    const moment = await this.#history.moment(0, signal);
    this.#resolveReady();
    await this.#locate(beginAt(moment, this.#begunAt, false), signal);
    this.#intake.expect(moment.newest);
    await catchUp(this.#history, this.#intake, moment, signal);
    this.#intake.inbox.end();
  }

  async #follow(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!this.#stop.signal.aborted) {
      if (await this.#attempt()) pauseMs = FIRST_PAUSE_MS;
      await this.#pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }

  /** One session from its beginning to its end; whether it came to be. Throws only what makes going on pointless. */
  async #attempt(): Promise<boolean> {
    try {
      this.#leave(await this.#keepTo(await this.#open()));
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
    this.#intake.holdBack();
    const deadline = link.deadline(this.#stop.signal);
    const place = { ...this.#place, after: this.#needsLog ? this.#intake.progress.last : Infinity };
    const deliver = this.#intake.receive.bind(this.#intake);
    const session = await Session.open(place, this.#subscription, deliver, deadline);
    this.#session = session;
    if (this.#stop.signal.aborted) session.close();
    return session;
  }

  /** Follows as long as the session lasts; why it ended. */
  async #keepTo(session: Session): Promise<string> {
    const lost = new AbortController();
    const over = session.watch(this.#place.timeoutMs).finally(() => lost.abort());
    try {
      await this.#takeUp(session, AbortSignal.any([this.#stop.signal, lost.signal]));
    } catch (error) {
      if (!lost.signal.aborted) throw error;
    }
    return over;
  }

  async #takeUp(session: Session, signal: AbortSignal): Promise<void> {
    const since = this.#awaySince;
    const needsLog = this.#needsLog; // finding the place changes it
    const awayMs = since === null ? 0 : Math.round(performance.now() - since);
    this.#isReady = true;
    this.#resolveReady();
    await this.#findPlace(session, signal);
    const recovered = needsLog ? await this.#readLog(session, signal) : 0;
    this.#awaySince = null;
    if (since !== null) this.#start.onState({ state: "back", store: "redis", awayMs, recovered });
    await this.#goOn(session, signal);
  }

  /** Live; and after falling behind from the log, as often as that happens. */
  async #goOn(session: Session, signal: AbortSignal): Promise<never> {
    for (;;) {
      while (this.#intake.isBehind) {
        await this.#intake.inbox.emptied(signal);
        await this.#readLog(session, signal);
      }
      this.#intake.goLive();
      await this.#intake.behind(signal);
    }
  }

  async #readLog(session: Session, signal: AbortSignal): Promise<number> {
    if (this.#intake.isBehind) this.#intake.holdBack();
    const moment = await this.#history.moment(this.#intake.progress.last, signal);
    await session.settled(this.#place.link.deadline(signal));
    return catchUp(this.#history, this.#intake, moment, signal);
  }

  get #needsLog(): boolean {
    return this.#awaySince !== null || (!this.#isLocated && this.#start.from !== null);
  }

  /**
   * Where to go on: behind the last message handed on. A counter that is behind it belongs to a server that lost its data
   * and counts anew, so there it is the moment since when nothing was heard, by the server's clock.
   */
  async #findPlace(session: Session, signal: AbortSignal): Promise<void> {
    const { progress } = this.#intake;
    const { position: upTo, clock } = session;
    const newest = this.#history.selected(session.newest);
    this.#beginning ??= beginAt({ upTo, clock, newest }, this.#begunAt, this.#awaySince !== null);
    if (!this.#isLocated) await this.#locate(this.#beginning, signal);
    if (progress.last > upTo) {
      progress.start(Math.min(upTo, clock - numberSince(this.#awaySince ?? this.#begunAt)));
    }
    this.#intake.expect(newest);
  }

  async #locate(beginning: Beginning, signal: AbortSignal): Promise<void> {
    const { position, asked } = await locate(this.#start.from, beginning, this.#history, signal);
    this.#intake.progress.start(position, asked);
    this.#isLocated = true;
  }

  #canWait(error: unknown): error is BlackboardError {
    const mayWait = this.#isReady || this.#start.patient;
    return mayWait && error instanceof BlackboardError && error.kind === "unavailable";
  }

  #leave(reason: string): void {
    if (this.#awaySince !== null || this.#stop.signal.aborted) return;
    this.#awaySince = performance.now();
    this.#start.onState({ state: "away", store: "redis", reason });
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    await sleep(ms * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined); // aborted: closed
  }
}
