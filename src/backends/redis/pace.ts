/** How much a step of a long work asks for, so that the server is not held up for long by any of them. */

/** What a step should take the server at most, and what is so little that the next one may be larger, in milliseconds. */
const LONG_MS = 2.5;
const SHORT_MS = 1;

export class Pace {
  /** Of the next step. */
  size: number;
  readonly #least: number;
  readonly #most: number;
  /** The way there and back, at most: no step took less. */
  #wayMs = Number.POSITIVE_INFINITY;

  /** Begins with the least. */
  constructor(least: number, most: number) {
    this.size = least;
    this.#least = least;
    this.#most = most;
  }

  /** A step has taken so long, as it looks from here. */
  took(ms: number): void {
    this.#wayMs = Math.min(this.#wayMs, ms);
    const workMs = ms - this.#wayMs;
    if (workMs > LONG_MS) this.size = Math.max(this.size >> 1, this.#least);
    else if (workMs < SHORT_MS) this.size = Math.min(this.size * 2, this.#most);
  }
}
