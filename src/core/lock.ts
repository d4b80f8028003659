/**
 * The contract of locks. A lock is a name on a board that at most so many may hold at once (`slots`, one unless told otherwise), each for
 * a time to live that it may begin anew (`refreshLock`). What is not refreshed in time is over, by the store's clock, whoever thinks otherwise.
 *
 * Each grant has a number, its fence, greater than those of all grants of this lock before, on either store, over restarts. The store
 * remembers the newest grant for `LOCK_MEMORY_MS` after its time is up, so that a write under an older one can be refused (`Fence`).
 *
 * Who has to wait stands in line. Whoever stands in line in front comes first, also before those who only try: nobody overtakes. Whoever in
 * line does not live any more is passed over; whoever lives and does not take what is free (it was stopped) loses its place after `TURN_MS`.
 *
 * Not reentrant: who asks twice, with two tokens, waits for itself. Callers who give different `slots` for one lock are each right:
 * a slot is granted if fewer are held than the caller allows.
 */
import type { FollowState } from "./types.ts";

/** How long the newest grant of a lock is remembered after its time is up: seven days. */
export const LOCK_MEMORY_MS = 7 * 86_400_000;
/** How long a free lock waits for the first in line to take it, in milliseconds. */
export const TURN_MS = 1000;

/** Who holds a lock, for people: attribution, not authentication. */
export interface Claimant {
  /** The agent. */
  readonly owner: string;
  readonly host: string;
  /** Of the process that asked, or speaks for whom it was asked. */
  readonly pid: number;
}

/** What is asked of a store. */
export interface LockRequest extends Claimant {
  /** Made up by who asks, for one grant: whoever knows it may refresh and release that. No control characters or blanks. */
  readonly token: string;
  readonly ttlMs: number;
  readonly slots: number;
}

/** What was granted. */
export interface Grant {
  readonly fence: number;
  /** By the store's clock, in milliseconds since the epoch. */
  readonly expiresAt: number;
  /** When the store was asked, by the process's clock (`performance.now()`): from then on it holds for `ttlMs` at least. */
  readonly askedAt: number;
  readonly ttlMs: number;
}

/** Where to wait for a lock. */
export interface LockPatience {
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** Told when the store goes away meanwhile, and when it is back. */
  readonly onState: (state: FollowState) => void;
}

/** How to begin a grant's time anew. */
export interface RefreshOptions {
  /** `null`: what it had. */
  readonly ttlMs: number | null;
  /** Ends within this, too. */
  readonly withinMs: number;
}

/** A grant that stands, as others may know it: without its token. */
export interface Holder extends Claimant {
  readonly fence: number;
  /** How long it has been held, and how long it has left, in milliseconds by the store's clock. */
  readonly ageMs: number;
  readonly leftMs: number;
}

/** A lock that is held or waited for. */
export interface LockFacts {
  readonly lock: string;
  /** The oldest grant first. */
  readonly holders: readonly Holder[];
  /** How many stand in line. */
  readonly waiting: number;
}
