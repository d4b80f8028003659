/** Whether a write that is made under a grant of a lock may still be made. */
import type { Fence, Rival } from "../../core/conditional.ts";
import { numberToMs } from "../../core/ids.ts";
import type { Board } from "./board.ts";
import { numberIn, textIn } from "./cells.ts";

const LAST = `SELECT fence, owner, EXISTS (SELECT 1 FROM holders WHERE lock = id AND fence = ?3) AS stands
  FROM locks WHERE board = ?1 AND name = ?2 AND forget_at > ?4`;

/** `null`: the fence stands; else who was granted the lock last. */
export function rivalOf({ db, prefix }: Board, { lock, fence }: Fence, now: number): Rival | null {
  const row = db.get(LAST, prefix, lock, fence, now);
  if (row === undefined) return { by: null, at: null, ageMs: null };
  if (numberIn(row, "stands") === 1) return null;
  const at = numberToMs(numberIn(row, "fence"));
  return { by: textIn(row, "owner"), at, ageMs: Math.max(0, now - at) };
}
