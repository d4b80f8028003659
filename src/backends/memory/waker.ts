/**
 * Tells a follower that the board file may have changed. Every commit writes to the WAL beside the file, and the
 * system reports that within a fraction of a millisecond; a slow poll stands behind it, a faster one where watching
 * is not to be had (Linux: the inotify limit is reached).
 *
 * Being told has a price: it makes each write of each publisher about twice as long (measured: 98 µs instead of 50) and
 * wakes each follower each time. So while the file changes all the time, nothing is watched and the follower looks at times: once a millisecond, if
 * not told otherwise.
 */
import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";

/** Only a safety net; it is also what finds out that the file was replaced. Milliseconds. */
const SLOW_POLL_MS = 1000;
const FAST_POLL_MS = 25;
/**
 * The system reports the write to the WAL, and a moment later the commit is there to be read: a quick follower looks too
 * early, and nothing would wake it again (measured: 3 to 18 of 100 messages waited for the safety net). So it looks again after
 * this many milliseconds, then after twice as many, and so on, longer than a publisher is held up at that point.
 */
const FIRST_LOOK_AGAIN_MS = 1;
const LAST_LOOK_AGAIN_MS = 64;
/**
 * The file is busy when this many reports of changes come within so many milliseconds: a commit makes three, so a publisher who
 * waits for an answer each time stays below, one who waits for nothing does not …
 */
const BUSY_REPORTS = 600;
const BUSY_WITHIN_MS = 50;
/** … until it does not change for so long, in milliseconds. */
const QUIET_MS = 50;

/** Who is woken with it, whether or not anybody waits for `next`, and stopped with it. */
export interface Companion {
  wake(): void;
  stop(): void;
}

export interface WakerOptions {
  readonly companion?: Companion | null;
  /** How often it wakes while the file changes all the time, in milliseconds. */
  readonly busyPollMs?: number;
}

export class Waker {
  readonly #wal: string;
  #watcher: FSWatcher | null = null;
  #poll: NodeJS.Timeout;
  #again: NodeJS.Timeout | undefined;
  /** Reports since a moment (of the process's clock). */
  #reports = 0;
  #since = 0;
  /** Polls since the file was busy, and when it had changed last at the last look. */
  #polls = 0;
  #changedAt = 0;
  #isDue = false;
  #isStopped = false;
  #resolve: (() => void) | null = null;
  readonly #companion: Companion | null;
  readonly #busyPollMs: number;

  constructor(path: string, { companion = null, busyPollMs = 1 }: WakerOptions = {}) {
    this.#companion = companion;
    this.#busyPollMs = busyPollMs;
    this.#wal = `${path}-wal`;
    this.#poll = setInterval(this.wake, SLOW_POLL_MS);
    this.#watch();
  }

  /** Resolves at the next change; at once if there was one since the last call. */
  async next(): Promise<void> {
    if (!this.#isDue) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    }
    this.#isDue = false;
  }

  /** Wakes for the last time. */
  stop(): void {
    this.#isStopped = true;
    this.#companion?.stop();
    clearInterval(this.#poll);
    clearTimeout(this.#again);
    this.#watcher?.close();
    this.wake();
  }

  /** Wakes it, for whatever other reason there is. */
  readonly wake = (): void => {
    this.#isDue = true;
    this.#companion?.wake();
    this.#resolve?.();
    this.#resolve = null;
  };

  /** The directory, because the WAL comes and goes. */
  #watch(): void {
    const wal = basename(this.#wal);
    try {
      this.#watcher = watch(dirname(this.#wal), (_, name) => {
        if (name === wal || name === null) this.#report();
      });
      this.#watcher.on("error", () => this.#every(FAST_POLL_MS, this.wake));
    } catch {
      this.#every(FAST_POLL_MS, this.wake); // whatever the reason, following goes on, only less promptly
    }
  }

  #every(ms: number, look: () => void): void {
    clearInterval(this.#poll);
    if (this.#isStopped) return; // a watcher may fail after that
    this.#poll = setInterval(look, ms);
  }

  #report(): void {
    this.wake();
    this.#lookAgain(FIRST_LOOK_AGAIN_MS);
    if (++this.#reports < BUSY_REPORTS) return;
    const now = performance.now();
    if (now - this.#since < BUSY_WITHIN_MS) this.#stopWatching();
    this.#reports = 0;
    this.#since = now;
  }

  #lookAgain(afterMs: number): void {
    clearTimeout(this.#again);
    if (afterMs > LAST_LOOK_AGAIN_MS) return;
    this.#again = setTimeout(() => {
      this.wake();
      this.#lookAgain(afterMs * 2);
    }, afterMs);
  }

  #stopWatching(): void {
    clearTimeout(this.#again);
    this.#watcher?.close();
    this.#watcher = null;
    this.#polls = 0;
    this.#every(this.#busyPollMs, this.#lookWhileBusy);
  }

  /** The watch comes before the last look: no change goes unnoticed between them. */
  readonly #lookWhileBusy = (): void => {
    if (++this.#polls % Math.ceil(QUIET_MS / this.#busyPollMs) === 0 && !this.#hasChanged()) {
      this.#every(SLOW_POLL_MS, this.wake);
      this.#watch();
    }
    this.wake();
  };

  #hasChanged(): boolean {
    const changedAt = changeTimeOf(this.#wal);
    const hasChanged = changedAt !== this.#changedAt;
    this.#changedAt = changedAt;
    return hasChanged;
  }
}

/** 0 if it cannot be told: whoever is woken finds out what is wrong. */
function changeTimeOf(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}
