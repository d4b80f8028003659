/**
 * A follower: sessions one after the other, joined without a gap.
 *
 * A session subscribes first and holds back what arrives, takes from the logs what was sent since the last message handed
 * on, and then lets the held back go on. When there is no room for what arrives, because the loop is slow, it is let go,
 * and the follower takes it from the logs in the same way once the loop has taken what was there.
 */
import type { Follower, FollowOptions } from "../../core/backend.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { Entry, Gap } from "../../core/types.ts";
import { type Beginning, beginAt, locate, numberSince } from "./beginning.ts";
import { catchUp } from "./catch-up.ts";
import type { Deadline } from "./deadline.ts";
import { History, type HistoryPlace } from "./history.ts";
import { Intake } from "./intake.ts";
import { Session } from "./session.ts";
import { Sessions, type SubscriberPlace } from "./sessions.ts";
import type { Source } from "./subscription.ts";

/** Where a follower follows. */
export type FollowPlace = SubscriberPlace & HistoryPlace;

/** What is followed. */
export interface Followed {
  readonly source: Source;
  /** Called before the log is read: for each session once it has begun; and, with none, for a replay. */
  readonly begun: (session: Session | null, signal: AbortSignal) => Promise<void>;
}

export interface FollowStart extends FollowOptions {
  /** Whether to wait for a server that is away at the start, instead of rejecting `ready`. */
  readonly patient: boolean;
}

/** Starts at once; the iteration takes what has come. */
export function startFollower(place: FollowPlace, followed: Followed, start: FollowStart): RedisFollower {
  return new RedisFollower(place, followed, start);
}

export class RedisFollower implements Follower<Entry | Gap> {
  readonly ready: Promise<void>;
  /** Resolves when nothing of it runs any more. */
  readonly ended: Promise<void>;
  readonly #place: FollowPlace;
  readonly #start: FollowStart;
  readonly #followed: Followed;
  readonly #history: History;
  readonly #intake = new Intake();
  readonly #stop = new AbortController();
  #resolveReady: () => void = () => undefined;
  #rejectReady: (error: unknown) => void = () => undefined;
  readonly #begunAt = performance.now();
  #beginning: Beginning | null = null;
  /** Whether it is known where reading begins. */
  #isLocated = false;

  constructor(place: FollowPlace, followed: Followed, start: FollowStart) {
    this.#place = place;
    this.#start = start;
    this.#followed = followed;
    this.#history = new History(place, followed.source);
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    this.ready.catch(() => undefined); // the iteration fails with the same error; nobody need await both
    this.ended = this.#run();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Entry | Gap, void, undefined> {
    try {
      yield* this.#intake.inbox;
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    this.#intake.inbox.end();
    this.#stop.abort();
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
    await this.#followed.begun(null, signal);
    const moment = await this.#history.moment(0, signal);
    this.#resolveReady();
    await this.#locate(beginAt(moment, this.#begunAt, false), signal);
    this.#intake.expect(moment.newest);
    await catchUp(this.#history, this.#intake, moment, signal);
    this.#intake.inbox.end();
  }

  #follow(): Promise<void> {
    const subscriber = {
      ...this.#place,
      ...this.#start,
      open: this.#open.bind(this),
      catchUp: this.#catchUp.bind(this),
      goOn: this.#goOn.bind(this),
    };
    return new Sessions(subscriber, this.#stop.signal).run();
  }

  #open(deadline: Deadline, awaySince: number | null): Promise<Session> {
    this.#intake.holdBack();
    const after = this.#needsLog(awaySince) ? this.#intake.progress.last : Infinity;
    const deliver = this.#intake.receive.bind(this.#intake);
    return Session.open({ ...this.#place, after }, this.#followed.source, deliver, deadline);
  }

  async #catchUp(session: Session, awaySince: number | null, signal: AbortSignal): Promise<number> {
    const needsLog = this.#needsLog(awaySince); // finding the place changes it
    const { position: upTo, clock, newest } = session;
    // Who is told that it is ready has begun, even if the session ends before its place is found.
    this.#beginning ??= beginAt(
      { upTo, clock, newest: this.#history.selected(newest) },
      this.#begunAt,
      awaySince !== null,
    );
    this.#resolveReady();
    await this.#followed.begun(session, signal);
    await this.#findPlace(session, this.#beginning, awaySince, signal);
    return needsLog ? this.#readLog(session, signal) : 0;
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

  #needsLog(awaySince: number | null): boolean {
    return awaySince !== null || (!this.#isLocated && this.#start.from !== null);
  }

  /**
   * Where to go on: behind the last message handed on. A counter that is behind it belongs to a server that lost its data
   * and counts anew, so there it is the moment since when nothing was heard, by the server's clock.
   */
  async #findPlace(
    session: Session,
    beginning: Beginning,
    awaySince: number | null,
    signal: AbortSignal,
  ): Promise<void> {
    const { progress } = this.#intake;
    const { position: upTo, clock } = session;
    if (!this.#isLocated) await this.#locate(beginning, signal);
    if (progress.last > upTo) {
      progress.start(Math.min(upTo, clock - numberSince(awaySince ?? this.#begunAt)));
    }
    this.#intake.expect(this.#history.selected(session.newest));
  }

  async #locate(beginning: Beginning, signal: AbortSignal): Promise<void> {
    const { position, asked } = await locate(this.#start.from, beginning, this.#history, signal);
    this.#intake.progress.start(position, asked);
    this.#isLocated = true;
  }
}
