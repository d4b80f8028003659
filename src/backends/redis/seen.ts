import { NameList } from "../../core/name-list.ts";

const FEW_SLOTS = 1 << 13;

/** Names that have come, each noted exactly: some 30 bytes a name, where a set of strings takes 100. */
export class Seen {
  readonly #names = new NameList();
  /** By hash, the next free one from there on: the place of a name in the list, plus one; 0: free. At most half of them are taken. */
  #slots = new Uint32Array(FEW_SLOTS);
  /** Of each name in the list. */
  #hashes = new Int32Array(FEW_SLOTS / 2 + 1);

  /** Whether it is new. It is noted. */
  add(name: Uint8Array): boolean {
    const hash = hashOf(name);
    const slot = this.#find(hash, name);
    if (this.#slots[slot] !== 0) return false;
    this.#hashes[this.#names.size] = hash;
    this.#names.add(name);
    this.#slots[slot] = this.#names.size;
    if (this.#names.size * 2 > this.#slots.length) this.#grow();
    return true;
  }

  /** Where the name is, or would be. */
  #find(hash: number, name: Uint8Array): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const taken = this.#slots[slot] ?? 0;
      if (taken === 0 || (this.#hashes[taken - 1] === hash && this.#names.is(taken - 1, name))) return slot;
    }
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const hashes = this.#hashes;
    this.#hashes = new Int32Array(this.#slots.length / 2 + 1);
    this.#hashes.set(hashes);
    const mask = this.#slots.length - 1;
    for (let index = 0; index < this.#names.size; index++) {
      let slot = (hashes[index] ?? 0) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = index + 1;
    }
  }
}

/** Begins anywhere, so that nobody can choose names that all have the same hash for us. FNV-1a, its end mixed as in MurmurHash3. */
const SEED = Math.floor(Math.random() * 2 ** 32);

function hashOf(name: Uint8Array): number {
  let hash = SEED;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ (name[at] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
