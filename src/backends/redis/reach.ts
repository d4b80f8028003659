/**
 * How many entries a worker asks for to find as many as are wanted. Of all changes it may select few, or none, and sees only what it was
 * handed: so it asks for more as long as it finds nothing, and for less once it has found more than is wanted and must give that back.
 */
import type { Gap } from "../../core/types.ts";

/** Entries asked for at once: what the server does in one or two milliseconds. */
const MOST = 200;

export class Reach {
  #times = 1;

  /** How many to ask for, to find so many. */
  entriesFor(most: number): number {
    return Math.min(most * this.#times, MOST);
  }

  /** What was handed out, and what of it was found to be selected. */
  learn(handed: ReadonlyArray<object | Gap>, found: ReadonlyArray<object | Gap>, most: number): void {
    const count = countOf(found);
    const isAll = countOf(handed) < this.entriesFor(most); // that there was
    if (count === 0 && !isAll) this.#times = Math.min(this.#times * 2, MOST);
    if (count > most) this.#times = Math.max(Math.floor(this.#times / 2), 1);
  }
}

/** How much of what was found is kept. What is behind a gap may be given back; the gap itself would not be told again. */
export function endOf(found: ReadonlyArray<object | Gap>, most: number): number {
  let count = 0;
  const tooMany = found.findIndex((item) => !("gap" in item) && ++count > most);
  return tooMany < 0 ? found.length : Math.max(tooMany, found.findLastIndex((item) => "gap" in item) + 1);
}

function countOf(items: ReadonlyArray<object | Gap>): number {
  return items.filter((item) => !("gap" in item)).length;
}
