/** Who holds a lock, as `lock show` and `lock list` have it. */
import { formatAge } from "../../core/duration.ts";
import type { Holder, LockFacts } from "../../core/lock.ts";
import type { Row } from "../command.ts";
import { oneCell } from "../terminal.ts";

export const HOLDER_HEADS = ["OWNER", "HOST", "PID", "FENCE", "AGE", "LEFT"];

export function holderCells({ owner, host, pid, fence, ageMs, leftMs }: Holder): string[] {
  return [oneCell(owner), oneCell(host), String(pid), String(fence), formatAge(ageMs), formatAge(leftMs)];
}

export function lockRow({ lock, holders, waiting }: LockFacts): Row {
  const shown = holders.map(({ owner, host, pid, fence, ageMs, leftMs }) => {
    return { owner, host, pid, fence, age_ms: ageMs, left_ms: leftMs };
  });
  return { cells: [], json: { lock, holders: shown, waiting } };
}
