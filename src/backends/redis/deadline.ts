/** Bounds in time. */
import { monotonicMs } from "../../core/clock.ts";

/** Thrown when a bound is reached. Internal: it never leaves this folder. */
export class DeadlineError extends Error {}

/** Thrown when nobody waits any more. Internal: it never leaves this folder. */
export class AbortedError extends Error {}

/** A moment by which something must be done, unless a signal says before that nobody waits for it any more. */
export class Deadline {
  /** What it was at the beginning, for people. */
  readonly withinMs: number;
  readonly #end: number;
  readonly #signal: AbortSignal | null;

  constructor(withinMs: number, signal: AbortSignal | null = null, end = monotonicMs() + withinMs) {
    this.withinMs = withinMs;
    this.#end = end;
    this.#signal = signal;
  }

  /** Milliseconds left, never less than 0. */
  get leftMs(): number {
    return Math.max(0, this.#end - monotonicMs());
  }

  get aborted(): boolean {
    return this.#signal?.aborted ?? false;
  }

  /** The same moment for somebody else, who has another signal. */
  for(signal: AbortSignal): Deadline {
    return new Deadline(this.withinMs, signal, this.#end);
  }

  /** A little more time. */
  later(ms: number): Deadline {
    return new Deadline(this.withinMs, this.#signal, this.#end + ms);
  }

  /** Only so much of the time that is left. */
  share(part: number): Deadline {
    return new Deadline(this.withinMs, this.#signal, monotonicMs() + this.leftMs * part);
  }

  /** @throws DeadlineError or AbortedError; the work itself then goes on, its outcome unobserved */
  race<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#signal?.removeEventListener("abort", abort);
      };
      const fail = (error: unknown): void => {
        end();
        reject(error);
      };
      const abort = (): void => fail(new AbortedError("nobody waits any more"));
      const timer = setTimeout(() => afterOnePoll(() => fail(new DeadlineError("too late"))), this.leftMs);
      this.#signal?.addEventListener("abort", abort);
      if (this.aborted) abort();
      work.then((result) => {
        end();
        resolve(result);
      }, fail);
    });
  }
}

/**
 * Node runs timers before it reads sockets: after a stall (a big computation, a suspended machine) a timer fires
 * although the answer has long arrived. So the sockets are read once more first.
 */
function afterOnePoll(done: () => void): void {
  setImmediate(() => setImmediate(done));
}
