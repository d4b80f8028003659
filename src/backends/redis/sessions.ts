/**
 * Sessions one after the other, over lost connections: for whoever goes on listening while a server goes and comes back.
 * What is listened to, and how to make up for what was missed, is the subscriber's own.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { BlackboardError } from "../../core/errors.ts";
import type { FollowState } from "../../core/types.ts";
import type { Deadline } from "./deadline.ts";
import type { Link } from "./link.ts";
import type { Session, SessionPlace } from "./session.ts";

/** Where a subscriber listens. */
export interface SubscriberPlace extends Omit<SessionPlace, "after"> {
  readonly link: Link;
  /** How long the server may be silent. */
  readonly timeoutMs: number;
}

/**
 * Who listens, and how. What a method throws ends everything, except `unavailable`, which ends the session or the attempt
 * at one. `awaySince` is when the server went away, by our own clock; `null`: it has not been away.
 */
export interface Subscriber extends SubscriberPlace {
  /** Whether a server that is away at the start is waited for. Later it always is. */
  readonly patient: boolean;
  /** Told once that the server is away, and once that it is back. */
  readonly onState: (state: FollowState) => void;
  open(deadline: Deadline, awaySince: number | null): Promise<Session>;
  /** Makes up for what was missed before the session; how much that was. Until then the server counts as away. */
  catchUp(session: Session, awaySince: number | null, signal: AbortSignal): Promise<number>;
  /** What is done from then on. It need not last as long as the session; `signal` says when that is over. */
  goOn(session: Session, signal: AbortSignal): Promise<void>;
}

/**
 * Pauses after attempts that fail, in milliseconds; doubled each time, and cut by up to half at random. After a session
 * that lasted there is none: as long as a worker is away, others take it for dead.
 */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;
/** A session that ends sooner counts as one that failed: a server that lets us in and drops us at once is not asked all the time. */
const SHORT_MS = 50;

export class Sessions {
  readonly #subscriber: Subscriber;
  readonly #stop: AbortSignal;
  #mayWait: boolean;
  #awaySince: number | null = null;

  constructor(subscriber: Subscriber, stop: AbortSignal) {
    this.#subscriber = subscriber;
    this.#stop = stop;
    this.#mayWait = subscriber.patient;
  }

  /**
   * Until it is stopped.
   * @param opened a session to begin with, which is closed here, too
   * @throws what makes going on pointless
   */
  async run(opened: Session | null = null): Promise<void> {
    let [session, failed] = [opened, 0];
    while (!this.#stop.aborted) {
      failed = (await this.#attempt(session)) ? 0 : failed + 1;
      session = null;
      if (failed > 0) await this.#pause(Math.min(FIRST_PAUSE_MS * 2 ** (failed - 1), LONGEST_PAUSE_MS));
    }
    session?.close(); // stopped before it came to it
  }

  /** One session from its beginning to its end; whether it lasted. Throws only what makes going on pointless. */
  async #attempt(opened: Session | null): Promise<boolean> {
    let session = opened;
    try {
      session ??= await this.#open();
      this.#stop.throwIfAborted();
      const begun = performance.now();
      this.#leave(await this.#keepTo(session));
      return performance.now() - begun >= SHORT_MS;
    } catch (error) {
      if (this.#stop.aborted) return false;
      if (!this.#canWait(error)) throw error;
      this.#leave(error.message);
      return false;
    } finally {
      session?.close();
    }
  }

  #open(): Promise<Session> {
    const { link } = this.#subscriber;
    link.checkOpen();
    return this.#subscriber.open(link.deadline(this.#stop), this.#awaySince);
  }

  /** As long as the session lasts; why it ended. */
  async #keepTo(session: Session): Promise<string> {
    this.#mayWait = true;
    const lost = new AbortController();
    const over = session.watch(this.#subscriber.timeoutMs, this.#stop).finally(() => lost.abort());
    try {
      await this.#comeBack(session, lost.signal);
      await this.#subscriber.goOn(session, lost.signal);
    } catch (error) {
      if (!lost.signal.aborted) throw error;
    }
    return over;
  }

  async #comeBack(session: Session, signal: AbortSignal): Promise<void> {
    const since = this.#awaySince;
    const awayMs = since === null ? 0 : Math.round(performance.now() - since);
    const recovered = await this.#subscriber.catchUp(session, since, signal);
    this.#awaySince = null;
    if (since !== null) this.#subscriber.onState({ state: "back", store: "redis", awayMs, recovered });
  }

  #canWait(error: unknown): error is BlackboardError {
    return this.#mayWait && error instanceof BlackboardError && error.kind === "unavailable";
  }

  #leave(reason: string): void {
    if (this.#awaySince !== null || this.#stop.aborted) return;
    this.#awaySince = performance.now();
    this.#subscriber.onState({ state: "away", store: "redis", reason });
  }

  async #pause(ms: number): Promise<void> {
    const jitteredMs = ms * (0.5 + Math.random() / 2);
    await sleep(jitteredMs, undefined, { signal: this.#stop }).catch(() => undefined); // aborted: stopped
  }
}
