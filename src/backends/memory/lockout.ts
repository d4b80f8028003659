/**
 * Writing, for those who live long: followers and workers. A lock that another process does not let go of (it was stopped in the
 * middle of a write) is said, once, and so is its end. Reading goes on meanwhile (https://sqlite.org/wal.html), and
 * nobody else can write either: there is nothing to miss.
 */
import { reasonOf } from "../../core/errors.ts";
import type { FollowState } from "../../core/types.ts";
import type { Database } from "./database.ts";
import { isLocked } from "./faults.ts";

/** How long until a locked file is tried again, in milliseconds; each try waits for the lock, too. */
export const RETRY_MS = 100;

export class Lockout {
  readonly #db: Database;
  readonly #onState: (state: FollowState) => void;
  /** When what first met the lock began, by the process's clock; `null`: the file is not known to be locked. */
  #since: number | null = null;

  constructor(db: Database, onState: (state: FollowState) => void) {
    this.#db = db;
    this.#onState = onState;
  }

  /** Whether the file has been locked for longer than the store's bound. */
  get isOn(): boolean {
    return this.#since !== null;
  }

  /** Runs something that writes, and says what that shows. @throws BlackboardError for which `isLocked`: it is to be tried again */
  attempt<Result>(work: () => Result): Result {
    const begun = performance.now();
    try {
      const result = this.quietly(work);
      this.#end();
      return result;
    } catch (error) {
      if (isLocked(error)) this.#begin(begun, reasonOf(error));
      throw error;
    }
  }

  /** The same, but nothing is said. A lock that is known of is hardly waited for again: that would stop the whole process each time. */
  quietly<Result>(work: () => Result): Result {
    return this.isOn ? this.#db.hardlyWaiting(work) : work();
  }

  #begin(since: number, reason: string): void {
    if (this.#since !== null) return;
    this.#since = since;
    this.#onState({ state: "away", store: "memory", reason });
  }

  #end(): void {
    if (this.#since === null) return;
    const awayMs = Math.round(performance.now() - this.#since);
    this.#since = null;
    this.#onState({ state: "back", store: "memory", awayMs, recovered: 0 });
  }
}
