/** What is alike in messages and changes. */
import type { Change, Entry, Gap } from "./types.ts";

export function isChange(entry: Entry): entry is Change {
  return "key" in entry;
}

/** The name it is known by: the channel, or the key. */
export function nameOf(entry: Entry): string {
  return isChange(entry) ? entry.key : entry.channel;
}

/** What it carries: the payload, or the value, if it has one. */
export function contentOf(entry: Entry): Buffer {
  return (isChange(entry) ? entry.value : entry.payload) ?? NOTHING;
}

export function isGap(item: Entry | Gap): item is Gap {
  return "gap" in item;
}

const NOTHING = Buffer.alloc(0);
