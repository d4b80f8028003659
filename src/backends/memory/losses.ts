/** What a reader is not to get, because retention took it or does not show it, and of what it has to tell. */
import { numberToId } from "../../core/ids.ts";
import type { Gap } from "../../core/types.ts";
import { nameOf } from "./log.ts";

/** Streams whose last entry is remembered; for the others a gap says where reading began, which is true as well. */
const REMEMBERED = 10_000;

/** Entries of a stream that do not come: all up to this number. */
export interface Loss {
  readonly stream: number;
  readonly channel: Buffer;
  readonly upTo: number;
}

export class Losses {
  readonly #begin: number;
  /** By stream: nothing up to here comes any more, and that was noted. */
  readonly #gone = new Map<number, number>();
  /** The greatest of them. */
  #newest = 0;
  /** By stream: what the reader was not told yet. */
  readonly #untold = new Map<number, Gap["gap"]>();
  /** By stream: the last entry read, which was handed on unless it was of a key that is not selected. */
  readonly #read = new Map<number, number>();

  /** @param begin the position where reading began */
  constructor(begin: number) {
    this.#begin = begin;
  }

  /** Something lost that the reader did not ask for. */
  forgive({ stream, upTo }: Loss): void {
    this.#gone.set(stream, upTo);
    this.#newest = Math.max(this.#newest, upTo);
  }

  /** Something lost, to be told unless it is known. */
  note(loss: Loss): void {
    const { stream, channel, upTo } = loss;
    if (upTo <= (this.#gone.get(stream) ?? 0)) return;
    this.forgive(loss);
    if (this.#untold.has(stream)) return;
    const after = numberToId(this.#read.get(stream) ?? this.#begin);
    this.#untold.set(stream, { channel: nameOf(channel), after, next: null });
  }

  /** Whether an entry is still in the log and yet not to be shown. */
  hides(stream: number, n: number): boolean {
    return n <= this.#newest && n <= (this.#gone.get(stream) ?? 0);
  }

  read(stream: number, n: number): void {
    this.#read.set(stream, n);
    if (this.#read.size <= REMEMBERED) return;
    for (const oldest of this.#read.keys()) {
      this.#read.delete(oldest);
      return;
    }
  }

  /** The streams of which entries were read after this number. */
  readSince(n: number): number[] {
    return [...this.#read].filter(([, last]) => last > n).map(([stream]) => stream);
  }

  /** What is to be told before the entry of this number is. Unsynced ones may come from amid what is lost. */
  before(stream: number, n: number): Gap | null {
    const gap = this.#untold.get(stream);
    if (gap === undefined || n <= (this.#gone.get(stream) ?? 0)) return null;
    this.#untold.delete(stream);
    return { gap: { ...gap, next: numberToId(n) } };
  }

  /** What is to be told at the end of the log, one at a time. */
  atEnd(): Gap | null {
    for (const [stream, gap] of this.#untold) {
      this.#untold.delete(stream);
      return { gap };
    }
    return null;
  }

  /** Everything up to here was read: what is gone below it matters no more. */
  passed(position: number): void {
    if (position < this.#newest) return;
    this.#gone.clear();
    this.#newest = 0;
  }
}
