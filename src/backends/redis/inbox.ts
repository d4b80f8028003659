/** What has come and the loop has not taken yet: bounded, so that a loop that is slow, or stands still, costs nothing. */
import { Bell } from "./bell.ts";

/** 4 MiB. What is pushed last may go beyond: a message of any size must find its way. */
const CAPACITY = 4 * 1024 * 1024;
/** What an item takes beside its payload, in bytes, roughly. */
export const OVERHEAD = 512;

interface Sized<Item> {
  readonly item: Item;
  readonly bytes: number;
}

export class Inbox<Item> implements AsyncIterable<Item> {
  #coming: Sized<Item>[] = [];
  #taking: readonly Sized<Item>[] = [];
  #at = 0;
  #bytes = 0;
  #ended = false;
  #failure: { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;
  readonly #emptied = new Bell();

  /** Whoever pushes looks after it whether he may go on. */
  get isFull(): boolean {
    return this.#bytes >= CAPACITY;
  }

  push(item: Item, payloadBytes: number): void {
    if (this.#ended) return;
    const bytes = payloadBytes + OVERHEAD;
    this.#coming.push({ item, bytes });
    this.#bytes += bytes;
    this.#wake?.();
  }

  /** Resolves when the loop has taken everything. @throws AbortedError */
  async emptied(signal: AbortSignal): Promise<void> {
    while (this.#bytes > 0) await this.#emptied.wait(signal);
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
      for (let next = this.#take(); next !== null; next = this.#take()) yield next.item;
      if (this.#failure !== null) throw this.#failure.error;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }

  #take(): Sized<Item> | null {
    if (this.#at === this.#taking.length) this.#turnOver();
    const next = this.#taking[this.#at];
    if (next === undefined) return null;
    this.#at++;
    this.#bytes -= next.bytes;
    if (this.#bytes === 0) this.#emptied.ring();
    return next;
  }

  #turnOver(): void {
    this.#taking = this.#coming;
    this.#coming = [];
    this.#at = 0;
  }
}
