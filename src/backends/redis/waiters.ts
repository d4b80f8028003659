/** Those who wait for answers, in the order of their questions. */
import type { Reply } from "./replies.ts";

export interface Waiter {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** Taken ones stay in front until they are so many, and most of all: to remove each by itself would move all the others. */
const MANY_TAKEN = 1024;

export class Waiters {
  #all: Waiter[] = [];
  #taken = 0;

  /** The answer for a new one, the last of all. */
  next(): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#all.push({ resolve, reject });
    });
  }

  /** The first one; `undefined` if there is none. */
  take(): Waiter | undefined {
    const first = this.#all[this.#taken];
    if (first === undefined) return undefined;
    this.#taken++;
    const isMost = this.#taken > MANY_TAKEN && this.#taken * 2 > this.#all.length;
    if (isMost || this.#taken === this.#all.length) {
      this.#all = this.#all.slice(this.#taken);
      this.#taken = 0;
    }
    return first;
  }
}
