/** Many names in little memory: their bytes behind each other, 4 bytes more a name, and nothing for a garbage collector to walk. */
import { NameOrder } from "./name-order.ts";
import { decodeName, encodeName } from "./names.ts";

const FEW_BYTES = 1 << 16;
const FEW_NAMES = 1 << 12;
/** Up to so many characters it is quicker to copy them one by one than to ask for a conversion. */
const SHORT_TEXT = 64;

export class NameList {
  #bytes = Buffer.allocUnsafeSlow(FEW_BYTES);
  /** Where each begins, and behind the last where the next one will. */
  #starts = new Uint32Array(FEW_NAMES);
  size = 0;

  add(name: Uint8Array): void {
    const start = this.#starts[this.size] ?? 0;
    this.#reserve(start + name.length);
    for (let at = 0; at < name.length; at++) this.#bytes[start + at] = name[at] ?? 0; // names are short: no call pays
    this.#end(start + name.length);
  }

  addText(name: string): void {
    if (name.length > SHORT_TEXT || !this.#addAscii(name)) this.add(encodeName(name));
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
    return new NameOrder(this.#bytes, this.#starts, this.size).all();
  }

  /** The same; those that are alike once. */
  distinct(): Uint32Array {
    return new NameOrder(this.#bytes, this.#starts, this.size).distinct();
  }

  /** Those that come first in that order, each once, as a list of their own. */
  smallest(count: number): NameList {
    const some = new NameList();
    for (const index of this.distinct().subarray(0, count)) some.add(this.at(index));
    return some;
  }

  /** Those that stand at these places. All that are ASCII are made text in one go. */
  texts(places: Uint32Array): string[] {
    const ends: number[] = [];
    const bytes = this.#joined(places, ends);
    const text = bytes.toString("latin1");
    if (!isAscii(bytes)) return Array.from(places, (index) => decodeName(this.at(index)));
    return ends.map((end, at) => text.slice(ends[at - 1] ?? 0, end));
  }

  /** Their bytes behind each other, and where each ends there. */
  #joined(places: Uint32Array, ends: number[]): Buffer {
    let size = 0;
    for (const index of places) size += (this.#starts[index + 1] ?? 0) - (this.#starts[index] ?? 0);
    const joined = Buffer.allocUnsafeSlow(size);
    let to = 0;
    for (const index of places) {
      const end = this.#starts[index + 1] ?? 0;
      for (let at = this.#starts[index] ?? 0; at < end; at++) joined[to++] = this.#bytes[at] ?? 0;
      ends.push(to);
    }
    return joined;
  }

  /** False, and nothing was added, if it is not ASCII. */
  #addAscii(name: string): boolean {
    const start = this.#starts[this.size] ?? 0;
    const { length } = name;
    this.#reserve(start + length);
    for (let at = 0; at < length; at++) {
      const code = name.charCodeAt(at);
      if (code > 127) return false;
      this.#bytes[start + at] = code;
    }
    this.#end(start + length);
    return true;
  }

  #end(at: number): void {
    this.size++;
    this.#starts[this.size] = at;
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
}

function isAscii(bytes: Uint8Array): boolean {
  let all = 0;
  for (let at = 0; at < bytes.length; at++) all |= bytes[at] ?? 0;
  return all < 128;
}
