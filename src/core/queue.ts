/** A queue between callbacks and one `for await` loop. */

/** Items pushed by callbacks, taken in order by one loop. */
export class Queue<Item> implements AsyncIterable<Item> {
  #items: Item[] = [];
  #ended = false;
  #failure: { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;

  push(item: Item): void {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wake?.();
  }

  /** No more items; the loop ends once it has taken what is there. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The loop throws this once it has taken what is there. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#failure = { error };
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for (;;) {
      const items = this.#items;
      this.#items = [];
      yield* items;
      if (this.#items.length > 0) continue;
      if (this.#failure !== null) throw this.#failure.error;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }
}
