/**
 * Waiting for a lock, in line. Whatever changes the file wakes who waits; it looks by reading whether there is anything for it to write,
 * and only then writes. Other processes' locks on the file are waited for, too, without stopping the process.
 */
import { setAlarm } from "../../core/alarm.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { Grant, LockPatience, LockRequest } from "../../core/lock.ts";
import type { Database } from "./database.ts";
import { isLocked } from "./faults.ts";
import type { Ledger, Standing } from "./ledger.ts";
import { Lockout, RETRY_MS, untilFree } from "./lockout.ts";
import { Waker } from "./waker.ts";

/** How often it is looked while the file changes all the time, in milliseconds: each look of each who waits holds up who writes. */
const BUSY_POLL_MS = 20;

/** What is waited for. */
interface Wanted {
  readonly lock: string;
  readonly request: LockRequest;
  readonly patience: LockPatience;
}

export class Waiting {
  readonly #db: Database;
  readonly #ledger: Ledger;
  readonly #wanted: Wanted;
  readonly #lockout: Lockout;
  readonly #waker: Waker;
  #isStopped = false;

  /** The watch begins before the first look: nothing can go unnoticed. */
  constructor(db: Database, ledger: Ledger, wanted: Wanted) {
    this.#db = db;
    this.#ledger = ledger;
    this.#wanted = wanted;
    this.#lockout = new Lockout(db, wanted.patience.onState);
    this.#waker = new Waker(db.path, { busyPollMs: BUSY_POLL_MS });
  }

  /** `null`: it was aborted or stopped before. */
  async granted(): Promise<Grant | null> {
    const { signal } = this.#wanted.patience;
    signal.addEventListener("abort", this.#waker.wake);
    let grant: Grant | null = null;
    try {
      while (grant === null && !this.#isStopped && !signal.aborted) {
        const step = this.#step();
        if (typeof step === "number") await this.#wait(step);
        else grant = step;
      }
      return grant;
    } finally {
      signal.removeEventListener("abort", this.#waker.wake);
      this.#waker.stop();
      if (grant === null) await this.#leave();
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#waker.wake();
  }

  /** A grant; or `null` if it has to look again; or how long there is nothing to do unless the file changes, in milliseconds. */
  #step(): Grant | null | number {
    try {
      if (this.#lockout.isMet) this.#comeBack();
      const standing = this.#look();
      if (standing.isNext || standing.isUnnoted) return this.#claim();
      if (!standing.isInLine) return this.#stand();
      return standing.changesAt - Date.now();
    } catch (error) {
      if (!isLocked(error)) throw error;
      return RETRY_MS;
    }
  }

  /** Finds out whether the file is still locked. If it is not: who is first could not write either. */
  #comeBack(): void {
    const { lock } = this.#wanted;
    const begin = () => this.#ledger.beginTurnsAnew(lock, Date.now());
    this.#lockout.attemptBriefly(() => this.#db.write(begin));
  }

  #look(): Standing {
    const { lock, request } = this.#wanted;
    return this.#db.read(() => this.#ledger.standing(lock, request, Date.now()));
  }

  #claim(): Grant | null {
    const { lock, request } = this.#wanted;
    return this.#lockout.attemptBriefly(() => {
      const askedAt = performance.now();
      const granted = this.#db.durably(() => this.#ledger.claim(lock, request, Date.now()));
      return granted && { ...granted, askedAt };
    });
  }

  #stand(): null {
    const { lock, request } = this.#wanted;
    this.#lockout.attemptBriefly(() => this.#db.write(() => this.#ledger.stand(lock, request)));
    return null;
  }

  async #wait(ms: number): Promise<void> {
    const cancel = ms === Number.POSITIVE_INFINITY ? null : setAlarm(Math.max(0, ms), this.#waker.wake);
    await this.#waker.next();
    cancel?.();
  }

  /** What cannot be written now, in a locked or lost file, others find out when it is its turn. */
  async #leave(): Promise<void> {
    const { lock, request } = this.#wanted;
    const leave = () => this.#db.write(() => this.#ledger.release(lock, request.token, Date.now()));
    try {
      await untilFree(this.#db, this.#lockout.isMet ? 0 : this.#db.timeoutMs, leave);
    } catch (error) {
      if (!(error instanceof BlackboardError) || error.kind !== "unavailable") throw error;
    }
  }
}
