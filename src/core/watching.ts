/** Changes as a board's user sees them: keys without the prefix, values that no log holds fetched. */
import { setTimeout as pause } from "node:timers/promises";
import type { Backend } from "./backend.ts";
import { BlackboardError } from "./errors.ts";
import type { Change, Reading } from "./types.ts";

/** How often a store that is away is asked again for a value, in milliseconds. */
const RETRY_MS = 250;

export interface WatchPlace {
  readonly store: Pick<Backend, "read">;
  /** A whole name as the user knows it. */
  readonly shown: (whole: string) => string;
  /** Aborted when the board is closed: nothing is fetched any more. */
  readonly closed: AbortSignal;
}

/** Of a change, with its value if that can be had. */
export function changeView(place: WatchPlace): (change: Change) => Change | Promise<Change> {
  return (change) => {
    const named = { ...change, key: place.shown(change.key) };
    return change.event === "set" && change.value === null ? fetched(change, named, place) : named;
  };
}

async function fetched({ key, id }: Change, named: Change, { store, closed }: WatchPlace): Promise<Change> {
  const [reading = null] = await readPatiently(store, [key], closed);
  // Of a foreign client's write nobody knows which it was: the present value stands for it.
  if (reading === null || (id !== null && reading.id !== id)) return named;
  return { ...named, value: reading.value, size: reading.size };
}

/** Waits for a store that is away, which its follower tells of; nothing, once it is stopped. */
export async function readPatiently(
  store: Pick<Backend, "read">,
  keys: readonly string[],
  stop: AbortSignal,
): Promise<ReadonlyArray<Reading | null>> {
  while (!stop.aborted) {
    try {
      return await store.read(keys, Number.POSITIVE_INFINITY);
    } catch (error) {
      if (stop.aborted) break;
      if (!(error instanceof BlackboardError) || error.kind !== "unavailable") throw error;
    }
    await pause(RETRY_MS, undefined, { signal: stop }).catch(() => {}); // aborted: stopped
  }
  return [];
}
