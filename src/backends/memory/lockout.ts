/**
 * Writing, for those who live long: followers, workers, and who waits for a lock. A file that another process does not let go of (it was
 * stopped in the middle of a write) is said, once, and so is its end. Reading goes on meanwhile (https://sqlite.org/wal.html), and
 * nobody else can write either: there is nothing to miss.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf } from "../../core/errors.ts";
import type { FollowState } from "../../core/types.ts";
import type { Database } from "./database.ts";
import { fromSqlite, isLocked } from "./faults.ts";

/** How long until a locked file is tried again, in milliseconds; each try waits for the lock, too. */
export const RETRY_MS = 100;

export class Lockout {
  readonly #db: Database;
  readonly #onState: (state: FollowState) => void;
  /** When what first met the lock began, by the process's clock; `null`: the file is not known to be locked. */
  #since: number | null = null;
  #isTold = false;

  constructor(db: Database, onState: (state: FollowState) => void) {
    this.#db = db;
    this.#onState = onState;
  }

  /** Whether the file has been locked for longer than the store's bound. */
  get isOn(): boolean {
    return this.#isTold;
  }

  /** Whether the file was locked at the last try. */
  get isMet(): boolean {
    return this.#since !== null;
  }

  /** Runs something that writes, and says what that shows. @throws BlackboardError for which `isLocked`: it is to be tried again */
  attempt<Result>(work: () => Result): Result {
    return this.#watched(() => this.quietly(work), 0);
  }

  /** The same for who tries each `RETRY_MS`: the process is not stopped by it, not even the first time. */
  attemptBriefly<Result>(work: () => Result): Result {
    return this.#watched(() => this.#db.hardlyWaiting(work), this.#db.timeoutMs);
  }

  /** The same, but nothing is said. A lock that is known of is hardly waited for again: that would stop the whole process each time. */
  quietly<Result>(work: () => Result): Result {
    return this.isOn ? this.#db.hardlyWaiting(work) : work();
  }

  /** @param boundMs how long the file may be locked before it is said */
  #watched<Result>(work: () => Result, boundMs: number): Result {
    const begun = performance.now();
    try {
      const result = work();
      this.#end();
      return result;
    } catch (error) {
      if (isLocked(error)) this.#meet(begun, boundMs, error);
      throw error;
    }
  }

  #meet(begun: number, boundMs: number, error: unknown): void {
    this.#since ??= begun;
    if (this.#isTold || performance.now() - this.#since < boundMs) return;
    this.#isTold = true;
    this.#onState({ state: "away", store: "memory", reason: reasonOf(error) });
  }

  #end(): void {
    const awayMs = Math.round(performance.now() - (this.#since ?? 0));
    const wasTold = this.#isTold;
    this.#since = null;
    this.#isTold = false;
    if (wasTold) this.#onState({ state: "back", store: "memory", awayMs, recovered: 0 });
  }
}

/**
 * Runs something that writes, tries again while the file is locked, and does not stop the process meanwhile.
 * @throws BlackboardError `unavailable` if it is locked for longer than that
 */
export async function untilFree<Result>(db: Database, withinMs: number, work: () => Result): Promise<Result> {
  const end = performance.now() + withinMs;
  for (;;) {
    const leftMs = end - performance.now();
    try {
      return db.hardlyWaiting(work);
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (leftMs <= 0) throw fromSqlite(error.cause, db.path, Math.round(withinMs));
    }
    await sleep(Math.min(RETRY_MS, leftMs));
  }
}
