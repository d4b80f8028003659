/** What a worker holds, by channel and id. */
import { isChange } from "../../core/entry.ts";
import { usageError } from "../../core/errors.ts";
import { idToNumber } from "../../core/ids.ts";
import type { Entry } from "../../core/types.ts";
import { CHANGES } from "./layout.ts";

/** Entries that one script looks after, at most: a matter of half a millisecond. */
const RANGE = 500;

/** Where an entry is held. */
export interface Place {
  readonly channel: string;
  readonly id: string;
}

/** Of an entry that was handed out. @throws BlackboardError `usage` for any other */
export function placeOf(entry: Entry): Place {
  if (entry.id === null) throw usageError("this delivery is not of this worker");
  return { channel: isChange(entry) ? CHANGES : entry.channel, id: entry.id };
}

/** Part of a channel's log, and what is held in it. The ends are as XPENDING wants them. */
export interface HeldRange {
  readonly from: string;
  readonly to: string;
  readonly ids: readonly string[];
}

export class Holdings {
  readonly #channels = new Map<string, Set<string>>();

  get channels(): readonly string[] {
    return [...this.#channels.keys()];
  }

  add(channel: string, id: string): void {
    const held = this.#channels.get(channel);
    if (held === undefined) this.#channels.set(channel, new Set([id]));
    else held.add(id);
  }

  delete(channel: string, id: string): void {
    const held = this.#channels.get(channel);
    held?.delete(id);
    if (held?.size === 0) this.#channels.delete(channel);
  }

  clear(): void {
    this.#channels.clear();
  }

  /** Together the whole of a channel's log. */
  *rangesOf(channel: string): Generator<HeldRange> {
    const held = [...(this.#channels.get(channel) ?? [])].sort((left, right) => order(left) - order(right));
    let from = "-";
    for (let at = 0; ; at += RANGE) {
      const ids = held.slice(at, at + RANGE);
      const isLast = at + RANGE >= held.length;
      const last = ids.at(-1) ?? "";
      yield { from, to: isLast ? "+" : last, ids };
      if (isLast) return;
      from = `(${last}`;
    }
  }
}

/** The ids of entries are ours; another would be looked after just as well. */
function order(id: string): number {
  return idToNumber(id) ?? 0;
}
