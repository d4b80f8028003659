/** A lock that is held by this program. */
import { setAlarm } from "./alarm.ts";
import type { Backend } from "./backend.ts";
import { BlackboardError, reasonOf } from "./errors.ts";
import type { Grant } from "./lock.ts";

/** A grant is renewed at this part of its time … */
const RENEWED_AT = 1 / 3;
/** … and so much of it, or so many milliseconds if that is less, is kept for ending what relies on it. */
const GRACE = 1 / 6;
const MOST_GRACE_MS = 5000;
/** The longest an attempt at renewing may take, as a part of the time to live. */
const ATTEMPT = 1 / 6;
/** How often a renewal that fails is tried again: in so many parts of the time to live. */
const TRIES = 20;

/** What a held lock works with. */
export interface HeldPlace {
  readonly store: Pick<Backend, "refreshLock" | "releaseLock">;
  readonly lock: string;
  readonly token: string;
  /** Told why it cannot be renewed for now; `null`: it could again. */
  readonly onTrouble: (reason: string | null) => void;
  /** Told when it is held no more. */
  readonly onEnd: () => void;
}

/** What became of a lock at its end. `left`: it was held all the time, but the store could not be told that it is free; it is when its time is up. */
export type HeldEnd = "released" | "left" | "lost";

/**
 * Held, and renewed, until it is released or lost. Its times are those of the process's clock, which goes on while the process
 * is stopped, but not while the machine sleeps: then a loss is only found out by the next renewal.
 */
export class Held {
  readonly lock: string;
  /** Whoever knows it may refresh and release. */
  readonly token: string;
  /** The number of this grant: greater than those of all grants of this lock before. */
  readonly fence: number;
  /** How long what relies on the lock may take to end once `signal` is aborted, in milliseconds. */
  readonly graceMs: number;
  readonly #place: HeldPlace;
  readonly #ttlMs: number;
  readonly #lost = new AbortController();
  /** Until when it is held for sure. */
  #until = 0;
  #hasEnded = false;
  #callOffRenewal = () => {};
  #callOffLimit = () => {};
  #trouble: string | null = null;
  #released: Promise<HeldEnd> | null = null;

  constructor(place: HeldPlace, grant: Grant) {
    this.#place = place;
    this.lock = place.lock;
    this.token = place.token;
    this.fence = grant.fence;
    this.#ttlMs = grant.ttlMs;
    this.graceMs = Math.min(MOST_GRACE_MS, this.#ttlMs * GRACE);
    this.#keep(grant);
  }

  /**
   * Aborted when the lock is lost, or cannot be made sure of any more: `graceMs` before its time is up, so that there is time to end
   * before somebody else may have it. The reason is a BlackboardError, `conflict`.
   */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Gives it back; nothing is renewed any more. Safe to call twice. */
  release(): Promise<HeldEnd> {
    this.#released ??= this.#release();
    return this.#released;
  }

  /** Gives it back because it cannot be kept: `signal` is aborted, and the work done under it has its grace to end. */
  async abandon(reason: BlackboardError, work: Promise<unknown> | undefined): Promise<void> {
    this.#lost.abort(reason);
    if (work !== undefined) await endOf(work, this.graceMs);
    await this.release();
  }

  async #release(): Promise<HeldEnd> {
    this.#end();
    const was = await this.#giveBack();
    if (this.signal.aborted) return "lost";
    if (was === true) return "released";
    if (was === null && performance.now() < this.#until) return "left";
    this.#lose("its time was up before it was released");
    return "lost";
  }

  /** For good, whatever comes of a renewal that is under way. */
  #end(): void {
    this.#hasEnded = true;
    this.#place.onEnd();
    this.#callOffRenewal();
    this.#callOffLimit();
  }

  /** Whether it was held until now; `null`: the store could not be told. */
  async #giveBack(): Promise<boolean | null> {
    try {
      return await this.#place.store.releaseLock(this.lock, this.token);
    } catch (error) {
      if (isAway(error)) return null;
      throw error;
    }
  }

  #keep({ askedAt }: Grant): void {
    const sinceMs = performance.now() - askedAt;
    this.#until = askedAt + this.#ttlMs;
    this.#callOffLimit();
    const limitMs = Math.max(0, this.#ttlMs - this.graceMs - sinceMs);
    this.#callOffLimit = setAlarm(limitMs, () => this.#lose("it could not be renewed in time"));
    this.#renewAfter(Math.max(0, this.#ttlMs * RENEWED_AT - sinceMs));
  }

  #renewAfter(ms: number): void {
    this.#callOffRenewal = setAlarm(ms, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const leftMs = this.#until - this.graceMs - performance.now();
    if (leftMs <= 0) return this.#lose("it could not be renewed in time"); // the process was stopped, or had no time to run
    try {
      // No attempt may take all the time there is: a file that is locked blocks the process meanwhile.
      const options = { ttlMs: this.#ttlMs, withinMs: Math.min(leftMs, this.#ttlMs * ATTEMPT) };
      const grant = await this.#place.store.refreshLock(this.lock, this.token, options);
      if (this.#hasEnded) return;
      if (grant === null) return this.#lose("its time was up, or it was released by its token");
      this.#keep(grant);
    } catch (error) {
      if (this.#hasEnded) return;
      if (!isAway(error)) return this.#lose(reasonOf(error));
      this.#renewAfter(this.#ttlMs / TRIES);
      return this.#tell(error.message);
    }
    this.#tell(null);
  }

  #lose(why: string): void {
    this.#end();
    this.#lost.abort(new BlackboardError("conflict", `the lock ${this.lock} was lost: ${why}`));
  }

  #tell(trouble: string | null): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#place.onTrouble(trouble);
  }
}

/** Nothing is known to be wrong with the lock itself. */
function isAway(error: unknown): error is BlackboardError {
  return error instanceof BlackboardError && (error.kind === "unavailable" || error.kind === "unknown");
}

/** Resolves when it has ended, or so many milliseconds later. */
async function endOf(work: Promise<unknown>, withinMs: number): Promise<void> {
  let callOff = () => {};
  const over = new Promise<void>((resolve) => {
    callOff = setAlarm(withinMs, resolve);
  });
  await Promise.race([work.catch(() => undefined), over]).finally(callOff); // how it ends, its caller is told
}
