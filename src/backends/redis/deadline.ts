/** Bounds in time. */

/** Thrown when a bound is reached. Internal: it never leaves this folder. */
export class DeadlineError extends Error {}

/** A moment by which something must be done. */
export class Deadline {
  readonly #end: number;

  constructor(withinMs: number) {
    this.#end = performance.now() + withinMs;
  }

  /** Milliseconds left, never less than 0. */
  get leftMs(): number {
    return Math.max(0, this.#end - performance.now());
  }

  /** @throws DeadlineError if the work is not done in time; the work itself goes on, its outcome unobserved */
  async race<Result>(work: Promise<Result>): Promise<Result> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => afterOnePoll(() => reject(new DeadlineError("too late"))), this.leftMs);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
      work.catch(() => undefined); // if it was too late, its failure has no one left to tell
    }
  }
}

/**
 * Node runs timers before it reads sockets: after a stall (a big computation, a suspended machine) a timer fires
 * although the answer has long arrived. So the sockets are read once more first.
 */
function afterOnePoll(done: () => void): void {
  setImmediate(() => setImmediate(done));
}
