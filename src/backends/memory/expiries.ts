/**
 * Sees to it that keys expire while somebody follows them, although nobody touches the file: whoever writes clears away what is
 * expired, so at the time of the next expiry this makes an empty change. One for all the followers and workers of a store; every process
 * that follows keys has one, and the fastest of them logs the expiry.
 */
import { setImmediate as breath } from "node:timers/promises";
import { setAlarm } from "../../core/alarm.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { Board } from "./board.ts";
import { numberIn, orNull } from "./cells.ts";
import { isLocked } from "./faults.ts";
import { RETRY_MS } from "./lockout.ts";
import type { Companion } from "./waker.ts";

/** The file is looked at once in so many milliseconds at most, however often it changes. */
const LOOK_MS = 25;
/** Up to so many milliseconds, by chance, so that not all processes wake to do what one of them does. */
const SPREAD_MS = 30;
/** How long following may be put off by what is overdue, in milliseconds. */
const CLEARING_MS = 1000;

const NEXT = "SELECT min(expires_at) AS at FROM entries WHERE expires_at IS NOT NULL";

export class Expiries {
  readonly #board: Board;
  /** Whom to tell that it cannot go on. */
  readonly #watchers = new Set<(error: unknown) => void>();
  /** When the next key expires, in milliseconds since the epoch, as far as is known. */
  #at: number | null = null;
  #callOff = () => {};
  #look: NodeJS.Timeout | null = null;

  constructor(board: Board) {
    this.#board = board;
  }

  /** Goes on until what is returned is stopped, or it has told that it cannot. What `clear` has left comes as news. */
  watch(onFailure: (error: unknown) => void): Companion {
    this.#watchers.add(onFailure);
    this.#lookSoon();
    const stop = () => {
      this.#watchers.delete(onFailure);
      if (this.#watchers.size === 0) this.#stop();
    };
    return { wake: this.#lookSoon, stop };
  }

  /** The file may have changed, and with it which key expires next. */
  readonly #lookSoon = (): void => {
    if (this.#watchers.size > 0) this.#look ??= setTimeout(this.#lookNow, LOOK_MS);
  };

  /**
   * Logs what has expired by now, so that it does not come as news: as much as there is time for, and nothing if another process's
   * lock is in the way. Where all else is synchronous, this breathes.
   * @param isOver asked after each breath
   */
  async clear(isOver: () => boolean): Promise<void> {
    const now = Date.now();
    const end = performance.now() + Math.min(CLEARING_MS, this.#board.settings.timeoutMs);
    try {
      while (this.#clearSome(now) && performance.now() < end) {
        await breath();
        if (isOver()) return;
      }
    } catch (error) {
      if (!isLocked(error)) throw error;
    }
  }

  readonly #lookNow = (): void => {
    this.#look = null;
    this.#orTell(() => {
      const at = this.#next();
      // What is overdue is set anew: timers stand still while the machine sleeps.
      if (at !== this.#at || (at ?? Number.POSITIVE_INFINITY) <= Date.now()) this.#set(at, SPREAD_MS);
    });
  };

  /** A lock that lasts is nothing to tell of here: the signs of life, which are written as well, tell of it. */
  readonly #ring = (): void => {
    this.#orTell(() => {
      try {
        const isMore = this.#clearSome(Date.now());
        this.#set(this.#next(), isMore ? 0 : SPREAD_MS);
      } catch (error) {
        if (!isLocked(error)) throw error;
        this.#callOff = setAlarm(RETRY_MS, this.#ring);
      }
    });
  };

  /** As much as one transaction takes, unless somebody was faster. @returns whether something was there to do */
  #clearSome(now: number): boolean {
    const { db } = this.#board;
    const isDue = (this.#next() ?? Number.POSITIVE_INFINITY) <= now;
    if (isDue) db.hardlyWaiting(() => this.#board.change(() => {}));
    return isDue;
  }

  #set(at: number | null, spreadMs: number): void {
    this.#callOff();
    this.#at = at;
    if (at === null) return;
    this.#callOff = setAlarm(Math.max(0, at - Date.now()) + Math.random() * spreadMs, this.#ring);
  }

  #next(): number | null {
    const { db } = this.#board;
    return db.read(() => orNull(db.one(NEXT), "at", numberIn));
  }

  #stop(): void {
    this.#callOff();
    this.#at = null;
    clearTimeout(this.#look ?? undefined);
    this.#look = null;
  }

  /** A file that is away is looked at again when the next waker rings; if it is gone for good, reading says so. */
  #orTell(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof BlackboardError && error.kind === "unavailable") return;
      const told = [...this.#watchers];
      this.#watchers.clear(); // whoever is told wakes, and would wake this
      this.#stop();
      for (const tell of told) tell(error);
    }
  }
}
