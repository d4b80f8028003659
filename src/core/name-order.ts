/**
 * Putting many names in the order of their bytes. Some bytes of a name and its place make one number of 64 bits, and numbers are sorted by the runtime
 * itself, without asking us: in half the time that comparing takes. Those that are alike there go on by their next bytes.
 */

/** So few are put in order one by one. */
const SHORT = 12;
/** For how many bytes of a name are in its number. */
const COUNT_BITS = 3;
/** Names whose places leave room for a fifth byte; of more, a number holds four. */
const MANY = 1 << 21;

/** Which half of a number is the higher one is the machine's affair. */
const HIGH = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0;
const LOW = 1 - HIGH;

export class NameOrder {
  readonly #bytes: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #numbers: BigUint64Array;
  /**
   * The same, as halves. The higher one: four bytes of a name. The lower one: perhaps a fifth one, how many there were, and which name it is.
   */
  readonly #halves: Uint32Array;
  readonly #taken: number;
  /** So many bits of the lower half say which name it is: these. */
  readonly #shift: number;
  readonly #place: number;
  /** Triples of what is not in order yet: from, to, and so many bytes are alike. A stack of our own: no names can exhaust it. */
  readonly #open: number[] = [];

  /** @param starts where each begins, and behind the last where that ends */
  constructor(bytes: Uint8Array, starts: Uint32Array, size: number) {
    this.#bytes = bytes;
    this.#starts = starts;
    this.#numbers = new BigUint64Array(size);
    this.#halves = new Uint32Array(this.#numbers.buffer);
    this.#taken = size <= MANY ? 5 : 4;
    this.#shift = 32 - COUNT_BITS - 8 * (this.#taken - 4);
    this.#place = 2 ** this.#shift - 1;
    this.#sort(size);
  }

  #sort(size: number): void {
    for (let at = 0; at < size; at++) this.#halves[2 * at + LOW] = at;
    this.#leave(0, size, 0);
    while (this.#open.length > 0) {
      const [from = 0, to = 0, depth = 0] = this.#open.splice(-3);
      this.#divide(from, to, this.#alike(from, to, depth));
    }
  }

  /** Which name comes first, and so on. */
  all(): Uint32Array {
    const order = new Uint32Array(this.#numbers.length);
    for (let at = 0; at < order.length; at++) order[at] = this.#name(at);
    return order;
  }

  /** The same; those that are alike once. */
  distinct(): Uint32Array {
    const order = new Uint32Array(this.#numbers.length);
    let count = 0;
    for (let at = 0; at < order.length; at++)
      if (at === 0 || !this.#looksAlike(at - 1, at) || !this.#isSame(this.#name(at - 1), this.#name(at)))
        order[count++] = this.#name(at);
    return order.subarray(0, count);
  }

  /** Puts them in order as far as their next bytes tell. */
  #divide(from: number, to: number, depth: number): void {
    for (let at = from; at < to; at++) this.#look(at, depth);
    this.#numbers.subarray(from, to).sort();
    for (let first = from, at = from + 1; at <= to; at++) {
      if (at < to && this.#looksAlike(first, at)) continue;
      if (at > first + 1 && this.#goesOn(first)) this.#leave(first, at, depth + this.#taken);
      first = at;
    }
  }

  #leave(from: number, to: number, depth: number): void {
    if (to - from > SHORT) this.#open.push(from, to, depth);
    else this.#insert(from, to, depth);
  }

  /** Notes the next bytes, 0 where there are none, and how many there are: of those that look alike, what has ended comes first. */
  #look(at: number, depth: number): void {
    const name = this.#name(at);
    const from = (this.#starts[name] ?? 0) + depth;
    const left = (this.#starts[name + 1] ?? 0) - from;
    const bytes = this.#bytes;
    let high = 0;
    for (let next = 0; next < 4; next++) high = (high << 8) | (next < left ? (bytes[from + next] ?? 0) : 0);
    const fifth = this.#taken > 4 && left > 4 ? (bytes[from + 4] ?? 0) : 0;
    const count = Math.max(0, Math.min(left, this.#taken));
    this.#halves[2 * at + HIGH] = high;
    this.#halves[2 * at + LOW] = (((fifth << COUNT_BITS) | count) << this.#shift) | name;
  }

  /** Else those that look like it are the same: they have ended. */
  #goesOn(at: number): boolean {
    const count = ((this.#halves[2 * at + LOW] ?? 0) >>> this.#shift) & (2 ** COUNT_BITS - 1);
    return count === this.#taken;
  }

  #looksAlike(one: number, other: number): boolean {
    const halves = this.#halves;
    if (halves[2 * one + HIGH] !== halves[2 * other + HIGH]) return false;
    return (((halves[2 * one + LOW] ?? 0) ^ (halves[2 * other + LOW] ?? 0)) & ~this.#place) === 0;
  }

  /** How many bytes all of them have in common. */
  #alike(from: number, to: number, depth: number): number {
    const start = this.#starts[this.#name(from)] ?? 0;
    let end = this.#starts[this.#name(from) + 1] ?? 0;
    for (let at = from + 1; at < to && end > start + depth; at++) {
      const other = this.#starts[this.#name(at)] ?? 0;
      end = Math.min(end, start + (this.#starts[this.#name(at) + 1] ?? 0) - other);
      let byte = start + depth;
      while (byte < end && this.#bytes[byte] === this.#bytes[other + byte - start]) byte++;
      end = byte;
    }
    return Math.max(end - start, 0);
  }

  /** All of them look alike: their numbers are those of each other but for the name. */
  #insert(from: number, to: number, depth: number): void {
    for (let next = from + 1; next < to; next++) {
      const number = this.#halves[2 * next + LOW] ?? 0;
      let at = next;
      for (; at > from && this.#isLess(number & this.#place, this.#name(at - 1), depth); at--)
        this.#halves[2 * at + LOW] = this.#halves[2 * at - 2 + LOW] ?? 0;
      this.#halves[2 * at + LOW] = number;
    }
  }

  #isLess(one: number, other: number, depth: number): boolean {
    const [left, right] = [this.#starts[one] ?? 0, this.#starts[other] ?? 0];
    const [end, otherEnd] = [this.#starts[one + 1] ?? 0, this.#starts[other + 1] ?? 0];
    const length = Math.min(end - left, otherEnd - right);
    for (let at = depth; at < length; at++) {
      const difference = (this.#bytes[left + at] ?? 0) - (this.#bytes[right + at] ?? 0);
      if (difference !== 0) return difference < 0;
    }
    return end - left < otherEnd - right;
  }

  #isSame(one: number, other: number): boolean {
    const [start, from] = [this.#starts[one] ?? 0, this.#starts[other] ?? 0];
    const length = (this.#starts[one + 1] ?? 0) - start;
    if ((this.#starts[other + 1] ?? 0) - from !== length) return false;
    for (let at = 0; at < length; at++) if (this.#bytes[start + at] !== this.#bytes[from + at]) return false;
    return true;
  }

  #name(at: number): number {
    return (this.#halves[2 * at + LOW] ?? 0) & this.#place;
  }
}
