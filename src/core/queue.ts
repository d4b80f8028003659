/** A queue between callbacks and one `for await` loop. */

/** Items pushed by callbacks, taken in order by one loop. */
export class Queue<Item> implements AsyncIterable<Item> {
  #items: Item[] = [];
  /** How many of those before them the loop has not taken yet. */
  #untaken = 0;
  #ended = false;
  #failure: { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;
  #makeRoom: Array<() => void> = [];

  push(item: Item): void {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wake?.();
  }

  /** Resolves once the loop has taken all but `most` items, or the queue has ended: so a pourer keeps it bounded. */
  async room(most: number): Promise<void> {
    while (!this.#ended && this.#items.length + this.#untaken > most) {
      await new Promise<void>((resolve) => {
        this.#makeRoom.push(resolve);
      });
    }
  }

  /** No more items; the loop ends once it has taken what is there. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
    this.#tellOfRoom();
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
      this.#untaken = items.length;
      for (const item of items) {
        this.#untaken--;
        yield item;
      }
      this.#tellOfRoom();
      if (this.#items.length > 0) continue;
      if (this.#failure !== null) throw this.#failure.error;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }

  #tellOfRoom(): void {
    const waiting = this.#makeRoom;
    this.#makeRoom = [];
    for (const resolve of waiting) resolve();
  }
}
