/** A callback's way to wake one who waits. */
import { AbortedError } from "./deadline.ts";

export class Bell {
  #ring: (() => void) | null = null;

  /** Wakes the one who waits, if there is one. */
  ring(): void {
    this.#ring?.();
    this.#ring = null;
  }

  /** Resolves at the next ring. One call at a time. @throws AbortedError */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(new AbortedError("nobody waits any more"));
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      this.#ring = () => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
    });
  }
}
