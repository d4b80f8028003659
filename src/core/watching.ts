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
}

/** Of a change, with its value if that can be had. */
export function changeView({
  store,
  shown,
}: WatchPlace): (change: Change, stop: AbortSignal) => Change | Promise<Change> {
  return (change, stop) => {
    const named = { ...change, key: shown(change.key) };
    return change.event === "set" && change.value === null ? fetched(change, named, store, stop) : named;
  };
}

async function fetched(
  { key, id }: Change,
  named: Change,
  store: Pick<Backend, "read">,
  stop: AbortSignal,
): Promise<Change> {
  const [reading = null] = await readPatiently(store, [key], stop);
  // Of a foreign client's write nobody knows which it was: the present value stands for it.
  if (reading === null || (id !== null && reading.id !== id)) return named;
  return { ...named, value: reading.value, size: reading.size };
}

/** Waits for a store that is away, which its follower tells of; nothing, once it is stopped. */
export async function readPatiently(
  store: Pick<Backend, "read">,
  keys: readonly string[],
  stop: AbortSignal,
  { mostBytes = Number.POSITIVE_INFINITY, onFailure = () => {} } = {},
): Promise<ReadonlyArray<Reading | null>> {
  while (!stop.aborted) {
    try {
      return await store.read(keys, mostBytes);
    } catch (error) {
      if (stop.aborted) break;
      if (!(error instanceof BlackboardError) || error.kind !== "unavailable") throw error;
      onFailure();
    }
    await pause(RETRY_MS, undefined, { signal: stop }).catch(() => {}); // aborted: stopped
  }
  return [];
}
