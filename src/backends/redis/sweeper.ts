/**
 * Sees to it that expiries are logged in time, by whoever follows keys: otherwise the next write would do it, whenever that comes. Each
 * such process knows when the next key expires, because scripts tell it; the first to ask the server logs what is due, and with
 * that tells all others when the next one is.
 */
import { setAlarm } from "../../core/alarm.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { ChangeSubscription } from "./change-subscription.ts";
import type { Deadline } from "./deadline.ts";
import type { Link } from "./link.ts";
import type { Session } from "./session.ts";

/** Behind the moment itself: the server takes a key for expired when its time is over, not when it is reached. */
const LATER_MS = 2;
/** Within so many milliseconds, at random: not all who follow shall ask at once. */
const SPREAD_MS = 50;
/** How long after a failure it is tried again. */
const RETRY_MS = 1000;

/**
 * Runs the script `SWEEP`: of keys that the server says have expired, and others that are gone. Milliseconds until the next key
 * expires; `null`: none does.
 */
export type RunSweep = (
  expired: readonly string[],
  gone: readonly string[],
  deadline: Deadline,
) => Promise<number | null>;

export class Sweeper {
  readonly #link: Link;
  readonly #run: RunSweep;
  readonly #subscription: Pick<ChangeSubscription, "undecided" | "decide">;
  /** Keys that foreign clients deleted: nothing is to be noted of them any more. */
  readonly #gone = new Set<string>();
  #session: Session | null = null;
  #signal: AbortSignal = AbortSignal.abort();
  #due: (() => void) | null = null;
  #asking: (() => void) | null = null;
  #sweeping: Promise<void> | null = null;

  constructor(link: Link, run: RunSweep, subscription: Pick<ChangeSubscription, "undecided" | "decide">) {
    this.#link = link;
    this.#run = run;
    this.#subscription = subscription;
  }

  /** Logs what expired, and goes on with nothing. @throws BlackboardError */
  async once(signal: AbortSignal): Promise<void> {
    let left: number | null = 0;
    while (left !== null && left <= 0) left = await this.#run([], [], this.#link.deadline(signal));
  }

  /** For one session, until the signal ends it. What expired before is logged when this is done. @throws BlackboardError */
  async begin(session: Session, signal: AbortSignal): Promise<void> {
    this.#session = session;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#rest(), { once: true });
    await this.#sweep();
  }

  /** The next key expires in so many milliseconds. */
  readonly expect = (ms: number): void => {
    if (this.#signal.aborted) return;
    this.#due?.();
    this.#due = setAlarm(Math.max(ms, 0) + LATER_MS + Math.random() * SPREAD_MS, this.#sweepNow);
  };

  /** Something is to be found out or to be forgotten about a key, soon. */
  readonly ask = (key: string): void => {
    if (this.#signal.aborted) return;
    if (!this.#subscription.undecided.includes(key)) this.#gone.add(key);
    this.#asking ??= setAlarm(Math.random() * SPREAD_MS * 2, () => {
      this.#asking = null;
      if (this.#gone.size > 0 || this.#subscription.undecided.length > 0) this.#sweepNow();
    });
  };

  readonly #sweepNow = (): void => {
    this.#sweeping ??= this.#sweep()
      .catch((error: unknown) => this.#later(error))
      .finally(() => {
        this.#sweeping = null;
      });
  };

  async #sweep(): Promise<void> {
    const expired = this.#subscription.undecided;
    const gone = [...this.#gone];
    const left = await this.#run(expired, gone, this.#link.deadline(this.#signal));
    for (const key of gone) this.#gone.delete(key);
    // What the script has logged has been told before it answered: behind this it has arrived.
    if (expired.length > 0) await this.#session?.settled(this.#link.deadline(this.#signal));
    this.#subscription.decide(expired);
    if (left !== null) this.expect(left);
  }

  /** Whatever is wrong, the follower's own connection will show it; if that is well, this may be, too, a moment later. */
  #later(error: unknown): void {
    if (!(error instanceof BlackboardError)) throw error;
    this.expect(RETRY_MS);
  }

  #rest(): void {
    this.#due?.();
    this.#asking?.();
    this.#due = null;
    this.#asking = null;
    this.#gone.clear();
  }
}
