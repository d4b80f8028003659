/** Which keys a command means: a pattern, and perhaps an age or an author. All steps on one store. */
import type { Backend } from "./backend.ts";
import type { ClearOptions, KeyBatchOptions, ListOptions } from "./board-options.ts";
import { BlackboardError } from "./errors.ts";
import { inOrder } from "./in-order.ts";
import type { KeyFacts } from "./types.ts";

/** The matching names, in batches. */
export async function* namesIn(
  store: Backend,
  pattern: string,
  { sorted = false, limit = Number.POSITIVE_INFINITY }: KeyBatchOptions,
): AsyncGenerator<readonly string[]> {
  if (sorted) return yield* inOrder(store.keys(pattern, { mayRepeat: true }), limit);
  let left = limit;
  for await (const batch of store.keys(pattern)) {
    if (left > 0) yield batch.slice(0, left);
    left -= batch.length;
    if (left <= 0) return;
  }
}

/** What is known of each matching key, in batches. */
export async function* factsIn(
  store: Backend,
  pattern: string,
  { sorted = false, unwrittenForMs, by }: ListOptions,
): AsyncGenerator<KeyFacts[]> {
  for await (const batch of namesIn(store, pattern, { sorted })) {
    const facts = (await store.describe(batch)).filter((one) => one !== null);
    yield facts.filter((one) => isStale(one, unwrittenForMs) && (by === undefined || one.by === by));
  }
}

/** The same, but only the names. */
async function* matchingIn(
  store: Backend,
  pattern: string,
  unwrittenForMs: number | undefined,
): AsyncGenerator<readonly string[]> {
  if (unwrittenForMs === undefined) yield* store.keys(pattern);
  else
    for await (const batch of factsIn(store, pattern, { unwrittenForMs })) yield batch.map(({ key }) => key);
}

function isStale(facts: KeyFacts, unwrittenForMs: number | undefined): boolean {
  return unwrittenForMs === undefined || (facts.ageMs !== null && facts.ageMs >= unwrittenForMs);
}

/** How many names there are in all. */
async function sizeOf(batches: AsyncIterable<readonly string[]>): Promise<number> {
  let size = 0;
  for await (const batch of batches) size += batch.length;
  return size;
}

/**
 * All batches, held until it is certain that they have at most `max` names.
 * @throws BlackboardError `conflict` if there are more
 */
async function atMost(
  max: number,
  batches: AsyncIterable<readonly string[]>,
): Promise<readonly (readonly string[])[]> {
  const held: (readonly string[])[] = [];
  let size = 0;
  for await (const batch of batches) {
    held.push(batch);
    size += batch.length;
    if (size > max) {
      throw new BlackboardError("conflict", `more than ${max} keys match; nothing was deleted`, {
        hint: "narrow the pattern or raise the limit",
      });
    }
  }
  return held;
}

/** Deletes what matches, or counts it; how many keys that are. @throws BlackboardError `conflict` if more than `max` match */
export async function clearIn(
  store: Backend,
  pattern: string,
  { unwrittenForMs, max, dryRun }: ClearOptions,
  agent: string,
): Promise<number> {
  if (dryRun) return sizeOf(matchingIn(store, pattern, unwrittenForMs));
  // Whether a key is old enough is looked at when it is deleted: only what is counted before must be looked at before.
  const isCounted = max !== undefined;
  const chosen = isCounted
    ? await atMost(max, matchingIn(store, pattern, unwrittenForMs))
    : store.keys(pattern, { toDelete: true });
  const age = unwrittenForMs === undefined ? {} : { unwrittenForMs };
  let deleted = 0;
  for await (const batch of chosen) deleted += await store.del(batch, { agent, ...age });
  return deleted;
}
