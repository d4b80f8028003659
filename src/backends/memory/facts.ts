/** What is known of a key beside its value, as its row says it. */
import type { Rival } from "../../core/conditional.ts";
import { numberToId, numberToMs } from "../../core/ids.ts";
import type { KeyFacts } from "../../core/types.ts";
import { numberIn, orNull, type Row, textIn } from "./cells.ts";

/** @param row its `expires_at`, `author`, `last` and `size` */
export function factsIn(row: Row, key: string, now: number): KeyFacts {
  const ttlMs = msLeft(orNull(row, "expires_at", numberIn), now);
  const id = numberToId(numberIn(row, "last"));
  return { key, id, ttlMs, size: numberIn(row, "size"), ...writerOf(row, now) };
}

export function writerOf(row: Row | undefined, now: number): Rival {
  if (row === undefined) return { by: null, at: null, ageMs: null };
  return { by: textIn(row, "author"), at: numberToMs(numberIn(row, "last")), ageMs: ageOf(row, now) };
}

/** Since the last write, in milliseconds; 0 if the clock was put back since. */
function ageOf(row: Row, now: number): number {
  return Math.max(0, now - numberToMs(numberIn(row, "last")));
}

/** At least 1: a key that is there has time left. */
export function msLeft(expiresAt: number | null, now: number): number | null {
  return expiresAt === null ? null : Math.max(1, Math.ceil(expiresAt - now));
}
