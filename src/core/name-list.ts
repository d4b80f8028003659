/** Many names in little memory: their bytes behind each other, 4 bytes more a name, and nothing for a garbage collector to walk. */

const FEW_BYTES = 1 << 16;
const FEW_NAMES = 1 << 12;
/** So few are put in order one by one. */
const SHORT = 12;

export class NameList {
  #bytes = Buffer.allocUnsafeSlow(FEW_BYTES);
  /** Where each begins, and behind the last where the next one will. */
  #starts = new Uint32Array(FEW_NAMES);
  size = 0;

  add(name: Uint8Array): void {
    const start = this.#starts[this.size] ?? 0;
    this.#reserve(start + name.length);
    for (let at = 0; at < name.length; at++) this.#bytes[start + at] = name[at] ?? 0; // names are short: no call pays
    this.size++;
    this.#starts[this.size] = start + name.length;
  }

  at(index: number): Buffer {
    return this.#bytes.subarray(this.#starts[index], this.#starts[index + 1]);
  }

  is(index: number, name: Uint8Array): boolean {
    const start = this.#starts[index] ?? 0;
    if ((this.#starts[index + 1] ?? 0) - start !== name.length) return false;
    for (let at = 0; at < name.length; at++) if (this.#bytes[start + at] !== name[at]) return false;
    return true;
  }

  /** Where the names stand in the order of their bytes. */
  sorted(): Uint32Array {
    const order = new Uint32Array(this.size);
    for (let index = 0; index < order.length; index++) order[index] = index;
    this.#sort(order, 0, order.length, 0);
    return order;
  }

  /** Those that come first in that order, as a list of their own. */
  smallest(count: number): NameList {
    const some = new NameList();
    for (const index of this.sorted().subarray(0, count)) some.add(this.at(index));
    return some;
  }

  #reserve(bytes: number): void {
    if (bytes > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, bytes));
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    if (this.size + 1 === this.#starts.length) {
      const larger = new Uint32Array(this.#starts.length * 2);
      larger.set(this.#starts);
      this.#starts = larger;
    }
  }

  /**
   * Quicksort by one byte at a time: less, alike or greater at that place; those that are alike go on by the next one. The largest part goes
   * on here, so that no names can exhaust the stack.
   */
  #sort(order: Uint32Array, first: number, end: number, place: number): void {
    let [from, to, depth] = [first, end, place];
    while (to - from > SHORT) {
      const pivot = this.#middle(order, from, to, depth);
      const [less, greater] = this.#divide(order, from, to, depth, pivot);
      const alikeTo = pivot < 0 ? less : greater; // those that have ended before are the same
      if (alikeTo - less >= Math.max(less - from, to - greater)) {
        this.#sort(order, from, less, depth);
        this.#sort(order, greater, to, depth);
        [from, to, depth] = [less, alikeTo, depth + 1];
        continue;
      }
      this.#sort(order, less, alikeTo, depth + 1);
      const isLeft = less - from >= to - greater;
      if (isLeft) this.#sort(order, greater, to, depth);
      else this.#sort(order, from, less, depth);
      [from, to] = isLeft ? [from, less] : [greater, to];
    }
    this.#insert(order, from, to, depth);
  }

  /** Where those end that have less there than the pivot, and where those begin that have more. */
  #divide(order: Uint32Array, from: number, to: number, depth: number, pivot: number): [number, number] {
    let [less, at, greater] = [from, from, to];
    while (at < greater) {
      const name = order[at] ?? 0;
      const byte = this.#byte(name, depth);
      if (byte === pivot) at++;
      else if (byte < pivot) {
        order[at++] = order[less] ?? 0;
        order[less++] = name;
      } else {
        order[at] = order[--greater] ?? 0;
        order[greater] = name;
      }
    }
    return [less, greater];
  }

  #insert(order: Uint32Array, from: number, end: number, depth: number): void {
    for (let next = from + 1; next < end; next++) {
      const name = order[next] ?? 0;
      let to = next;
      for (; to > from && this.#isLess(name, order[to - 1] ?? 0, depth); to--) order[to] = order[to - 1] ?? 0;
      order[to] = name;
    }
  }

  /** The middle one of three: names are often nearly in order. */
  #middle(order: Uint32Array, from: number, to: number, depth: number): number {
    const first = this.#byte(order[from] ?? 0, depth);
    const middle = this.#byte(order[(from + to) >> 1] ?? 0, depth);
    const last = this.#byte(order[to - 1] ?? 0, depth);
    return Math.max(Math.min(first, middle), Math.min(Math.max(first, middle), last));
  }

  #isLess(one: number, other: number, depth: number): boolean {
    for (let at = depth; ; at++) {
      const [left, right] = [this.#byte(one, at), this.#byte(other, at)];
      if (left !== right) return left < right;
      if (left < 0) return false;
    }
  }

  /** -1: the name has ended before. */
  #byte(index: number, depth: number): number {
    const at = (this.#starts[index] ?? 0) + depth;
    return at < (this.#starts[index + 1] ?? 0) ? (this.#bytes[at] ?? 0) : -1;
  }
}
