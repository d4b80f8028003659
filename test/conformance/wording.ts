/** Changes as short texts, so that many of them can be compared at a glance. */
import type { Change, Gap } from "../../src/core/types.ts";

/** `set KEY VALUE`, `initial KEY VALUE`, `del KEY`, `expired KEY`; `gap AFTER NEXT`. A set without its value: `set KEY -`. */
export function inWords(item: Change | Gap): string {
  if ("gap" in item) return `gap ${item.gap.after} ${item.gap.next}`;
  const { event, key, value, isInitial } = item;
  if (event !== "set") return `${event} ${key}`;
  return `${isInitial ? "initial" : "set"} ${key} ${value ?? "-"}`;
}

/** The same with the id in front. */
export function withId(item: Change | Gap): string {
  return "gap" in item ? inWords(item) : `${item.id} ${inWords(item)}`;
}

/** Ids in the order of the log. */
export function compareIds(one: string, other: string): number {
  const [ms = 0, sequence = 0] = one.split("-").map(Number);
  const [otherMs = 0, otherSequence = 0] = other.split("-").map(Number);
  return ms - otherMs || sequence - otherSequence;
}
