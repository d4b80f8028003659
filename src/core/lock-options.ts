/** What may be said when a lock is asked for. */
import { checkWhole, refuseUnknown } from "./board-options.ts";
import { usageError } from "./errors.ts";
import type { FollowState } from "./types.ts";
import { checkTtl } from "./values.ts";

/** Options of {@link Blackboard.lock} and {@link Locks.hold}. */
export interface LockOptions {
  /** How long a grant stands that is not renewed, in milliseconds; it is renewed at a third of it. Default 30,000, at least 100. */
  readonly ttlMs?: number;
  /** How many may hold the lock at once; default 1. Whoever asks for it should say the same. */
  readonly slots?: number;
  /** The longest wait for it, in milliseconds; 0: none, it throws `conflict`. Default, and `Infinity`: as long as it takes. */
  readonly timeoutMs?: number;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
  /** Told when the store goes away while the lock is waited for, and when it is back. */
  readonly onState?: (state: FollowState) => void;
  /** Told why a lock that is held cannot be renewed for now; `null`: it could again. */
  readonly onTrouble?: (reason: string | null) => void;
}

/** Options of {@link Locks.acquire}: nothing renews the grant unless {@link Locks.refresh} is called. */
export interface AcquireOptions extends LockOptions {
  /** How long the grant stands, in milliseconds. Default 300,000. */
  readonly ttlMs?: number;
  /** The process to show as the holder; default: this one. */
  readonly pid?: number;
}

/** A renewal goes over a network, and comes from busy machines. */
const LEAST_TTL_MS = 100;
export const HELD_TTL_MS = 30_000;
export const ACQUIRED_TTL_MS = 300_000;

/** With the defaults. @throws BlackboardError `usage` */
export function lockSettings(options: AcquireOptions, defaultTtlMs: number) {
  refuseUnknown(options, ["ttlMs", "slots", "timeoutMs", "signal", "onState", "onTrouble", "pid"]);
  const { slots = 1, timeoutMs = Infinity, signal, onState = () => {}, onTrouble = () => {}, pid } = options;
  checkWhole("slots", slots, 1);
  if (timeoutMs !== Infinity) checkWhole("timeoutMs", timeoutMs);
  checkWhole("pid", pid);
  return {
    ttlMs: checkLockTtl(options.ttlMs === undefined ? defaultTtlMs : options.ttlMs),
    slots,
    timeoutMs,
    signal,
    onState,
    onTrouble,
    pid,
  };
}

/** @throws BlackboardError `usage` */
export function checkLockTtl(ttlMs: number): number {
  checkTtl(ttlMs);
  if (typeof ttlMs === "number" && ttlMs >= LEAST_TTL_MS) return ttlMs;
  throw usageError(`a lock's time to live must be at least ${LEAST_TTL_MS} ms`);
}

/** @throws BlackboardError `usage` for what cannot be a token */
export function checkToken(token: string): string {
  if (/^[\w-]{1,128}$/.test(token)) return token;
  throw usageError("that is no token of a lock", "lock acquire prints one");
}
