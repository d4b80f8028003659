/** Locks through the library. */
import { compareNames } from "../../src/core/names.ts";
import type { Blackboard } from "../../src/index.ts";
import { asked } from "./library-asked.ts";
import type { BoardLocks, ClaimOptions, WaitOptions } from "./locking.ts";

export class LibraryLocks implements BoardLocks {
  readonly #blackboard: Blackboard;

  constructor(blackboard: Blackboard) {
    this.#blackboard = blackboard;
  }

  acquire(lock: string, options: ClaimOptions = {}) {
    return asked(this.#locks.acquire(lock, { ...options, timeoutMs: 0 }));
  }

  wait(lock: string, { waitMs, ...options }: WaitOptions = {}) {
    const stop = new AbortController();
    const limit = waitMs === undefined ? {} : { timeoutMs: waitMs };
    const granted = asked(this.#locks.acquire(lock, { ...options, ...limit, signal: stop.signal }));
    granted.catch(() => {}); // whoever awaits it is told
    const leave = async () => {
      stop.abort();
      await granted.then(
        () => Promise.reject(new Error("it was granted")),
        (error: unknown) => (error === stop.signal.reason ? undefined : Promise.reject(error)),
      );
    };
    return { granted, leave };
  }

  refresh(lock: string, token: string, ttlMs?: number) {
    return asked(this.#locks.refresh(lock, token, ttlMs));
  }

  release(lock: string, token: string) {
    return asked(this.#locks.release(lock, token));
  }

  show(lock: string) {
    return asked(this.#locks.show(lock));
  }

  async list() {
    return [...(await asked(this.#locks.list()))].sort((one, other) => compareNames(one.lock, other.lock));
  }

  get #locks() {
    return this.#blackboard.locks;
  }
}
