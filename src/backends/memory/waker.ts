/**
 * Tells a follower that the board file may have changed. Every commit writes to the WAL beside the file, and the
 * system reports that within a fraction of a millisecond; a slow poll stands behind it, a faster one where watching
 * is not to be had (Linux: the inotify limit is reached).
 */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";

/** Only a safety net; it is also what finds out that the file was replaced. Milliseconds. */
const SLOW_POLL_MS = 1000;
const FAST_POLL_MS = 25;

export class Waker {
  readonly #watcher: FSWatcher | null;
  #poll: NodeJS.Timeout;
  #isDue = false;
  #resolve: (() => void) | null = null;

  constructor(path: string) {
    this.#poll = setInterval(this.#wake, SLOW_POLL_MS);
    this.#watcher = this.#watch(path);
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
    clearInterval(this.#poll);
    this.#watcher?.close();
    this.#wake();
  }

  /** The directory, because the WAL comes and goes. */
  #watch(path: string): FSWatcher | null {
    const wal = `${basename(path)}-wal`;
    try {
      const watcher = watch(dirname(path), (_, name) => {
        if (name === wal || name === null) this.#wake();
      });
      watcher.on("error", this.#pollFaster);
      return watcher;
    } catch {
      this.#pollFaster(); // whatever the reason, following goes on, only less promptly
      return null;
    }
  }

  readonly #pollFaster = (): void => {
    clearInterval(this.#poll);
    this.#poll = setInterval(this.#wake, FAST_POLL_MS);
  };

  readonly #wake = (): void => {
    this.#isDue = true;
    this.#resolve?.();
    this.#resolve = null;
  };
}
