/** An end that others may ask about. What it takes to tell them is made when somebody asks: Node loads AbortController only then. */
export class Ending {
  #abort: AbortController | null = null;
  #reason: unknown;
  #isOver = false;

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Aborted at the end. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#isOver) this.#abort.abort(this.#reason);
    return this.#abort.signal;
  }

  /** For those who do not need a reason, too. Only the first end counts. */
  end(reason?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reason = reason;
    this.#abort?.abort(reason);
  }
}
