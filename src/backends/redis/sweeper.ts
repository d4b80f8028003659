/**
 * Sees to it that expiries are logged in time, by whoever follows keys: otherwise the next write would do it, whenever that comes. Each
 * such process knows when the next key expires, because scripts tell it. The first to ask the server logs what is due, and with
 * that tells all others when the next one is; and so it is with keys of which the server says something nobody can place.
 */
import { setAlarm } from "../../core/alarm.ts";
import { BlackboardError } from "../../core/errors.ts";
import { chunks, KEYS_A_SCRIPT } from "./chunks.ts";
import type { Deadline } from "./deadline.ts";
import { RefusedError } from "./errors.ts";
import type { Link } from "./link.ts";

/** Behind the moment itself: the server takes a key for expired when its time is over, not when it is reached. */
const LATER_MS = 2;
/** Within so many milliseconds, at random: not all who follow shall ask at once. */
const SPREAD_MS = 50;
/** How long after a failure it is tried again. */
const RETRY_MS = 1000;
/** How long what is overdue may hold up the one who begins to follow. */
const LONGEST_MS = 1000;

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
  /** Told of keys that expired and cannot be asked about: the server refuses. */
  readonly #giveUp: (keys: Iterable<string>) => void;
  /** Keys to ask about, and what the server said of them. */
  readonly #open = new Map<string, "expired" | "del">();
  #signal: AbortSignal = AbortSignal.abort();
  #due: (() => void) | null = null;
  /** How often scripts have said when the next key expires. */
  #heard = 0;
  #asking: (() => void) | null = null;
  #isSweeping = false;
  /** It was time to sweep, also if that was going on. */
  #isWanted = false;

  constructor(link: Link, run: RunSweep, giveUp: (keys: Iterable<string>) => void) {
    this.#link = link;
    this.#run = run;
    this.#giveUp = giveUp;
  }

  /** Logs what expired, and goes on with nothing. @throws BlackboardError */
  async once(signal: AbortSignal): Promise<void> {
    await this.#sweepDue(signal);
  }

  /** For one session, until the signal ends it. What expired before is logged when this is done. @throws BlackboardError */
  async begin(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    this.#open.clear();
    signal.addEventListener("abort", () => this.#rest(), { once: true });
    this.#expect(RETRY_MS); // should this fail
    await this.#sweepAndExpect();
  }

  /** The next key expires in so many milliseconds, as a script says. */
  readonly hear = (ms: number): void => {
    this.#heard++;
    this.#expect(ms);
  };

  /** Something is to be found out, or to be forgotten, about a key, soon. */
  readonly ask = (key: string, said: "expired" | "del"): void => {
    if (this.#signal.aborted) return;
    this.#open.set(key, said);
    this.#askSoon();
  };

  /** Somebody else has asked. */
  readonly settle = (key: string): void => {
    this.#open.delete(key);
  };

  #askSoon(): void {
    this.#asking ??= setAlarm(Math.random() * SPREAD_MS * 2, () => {
      this.#asking = null;
      if (this.#open.size > 0) void this.#sweep();
    });
  }

  async #sweep(): Promise<void> {
    this.#isWanted = true;
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    try {
      while (this.#isWanted && !this.#signal.aborted) {
        this.#isWanted = false;
        await this.#askAll();
        await this.#sweepAndExpect();
      }
    } catch (error) {
      this.#later(error);
    }
    this.#isSweeping = false;
    if (this.#open.size > 0 && !this.#signal.aborted) this.#askSoon(); // what came meanwhile
  }

  /** A part at a time: the server has others to serve, and whoever follows must come to take what is told. */
  async #askAll(): Promise<void> {
    for (const keys of chunks([...this.#open.keys()], KEYS_A_SCRIPT)) {
      const open = keys.filter((key) => this.#open.has(key)); // others may have asked
      const expired = open.filter((key) => this.#open.get(key) === "expired");
      const gone = open.filter((key) => this.#open.get(key) === "del");
      if (open.length > 0) await this.#askAbout(expired, gone);
    }
  }

  /** They are taken out before: what is said of them meanwhile is another matter. */
  async #askAbout(expired: readonly string[], gone: readonly string[]): Promise<void> {
    for (const key of [...expired, ...gone]) this.#open.delete(key);
    try {
      await this.#run(expired, gone, this.#link.deadline(this.#signal));
    } catch (error) {
      for (const key of expired) this.#open.set(key, "expired");
      for (const key of gone) this.#open.set(key, "del");
      throw error;
    }
  }

  /** What was heard meanwhile is newer than the answer. */
  async #sweepAndExpect(): Promise<void> {
    const heard = this.#heard;
    const left = await this.#sweepDue(this.#signal);
    if (this.#heard === heard) this.#expect(left ?? Number.POSITIVE_INFINITY);
  }

  #expect(ms: number): void {
    if (this.#signal.aborted) return;
    this.#due?.();
    const inTime = ms + LATER_MS + Math.random() * SPREAD_MS;
    this.#due = setAlarm(Math.max(inTime, 0), () => void this.#sweep());
  }

  /** All, or as much as can be in some time: the rest is due at once. */
  async #sweepDue(signal: AbortSignal): Promise<number | null> {
    const latest = performance.now() + LONGEST_MS;
    let left: number | null = 0;
    while (left !== null && left <= 0 && performance.now() < latest) {
      left = await this.#run([], [], this.#link.deadline(signal));
    }
    return left;
  }

  /** Whatever is wrong, the follower's own connection will show it; if that is well, this may be, too, a moment later. */
  #later(error: unknown): void {
    if (!(error instanceof BlackboardError)) throw error;
    if (error instanceof RefusedError) {
      this.#giveUp([...this.#open.keys()]);
      this.#open.clear();
    }
    this.#expect(RETRY_MS);
  }

  #rest(): void {
    this.#due?.();
    this.#asking?.();
    this.#asking = null;
    this.#open.clear();
  }
}
