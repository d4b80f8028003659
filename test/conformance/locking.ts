/** Locks as the groups see them; part of `Board`. */
import type { LockFacts } from "../../src/core/lock.ts";

/** A grant, as whoever asked for it is told. */
export interface Granted {
  readonly lock: string;
  readonly token: string;
  readonly fence: number;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface ClaimOptions {
  readonly ttlMs?: number;
  readonly slots?: number;
}

export interface WaitOptions extends ClaimOptions {
  /** Fails after this many milliseconds. */
  readonly waitMs?: number;
}

/** Somebody who waits for a lock. */
export interface Waiting {
  readonly granted: Promise<Granted>;
  /** Is stopped; resolves when it has ended, with nothing. */
  leave(): Promise<void>;
}

export interface BoardLocks {
  /** At once, or not at all: `conflict`. */
  acquire(lock: string, options?: ClaimOptions): Promise<Granted>;
  /** As long as it takes, unless told otherwise. */
  wait(lock: string, options?: WaitOptions): Waiting;
  /** `null`: the token holds nothing. */
  refresh(lock: string, token: string, ttlMs?: number): Promise<Omit<Granted, "token"> | null>;
  /** False: the token held nothing. */
  release(lock: string, token: string): Promise<boolean>;
  /** `null`: nobody holds it. */
  show(lock: string): Promise<LockFacts | null>;
  /** By name. */
  list(): Promise<LockFacts[]>;
}
