/** Which keys a command means: a pattern, and perhaps an age. All steps on one store. */
import type { Backend } from "./backend.ts";
import { BlackboardError } from "./errors.ts";
import type { KeyFacts } from "./types.ts";

/**
 * What is known of each matching key, in batches.
 * @param unwrittenForMs given: only of those not written for so long
 */
export async function* factsOf(
  store: Backend,
  pattern: string,
  unwrittenForMs: number | undefined,
): AsyncGenerator<KeyFacts[]> {
  for await (const batch of store.keys(pattern)) {
    const facts = (await store.describe(batch)).filter((one) => one !== null);
    yield facts.filter((one) => isStale(one, unwrittenForMs));
  }
}

/** The same, but only the names. */
export async function* matchingIn(
  store: Backend,
  pattern: string,
  unwrittenForMs: number | undefined,
): AsyncGenerator<readonly string[]> {
  if (unwrittenForMs === undefined) yield* store.keys(pattern);
  else for await (const batch of factsOf(store, pattern, unwrittenForMs)) yield batch.map(({ key }) => key);
}

function isStale(facts: KeyFacts, unwrittenForMs: number | undefined): boolean {
  return unwrittenForMs === undefined || (facts.ageMs !== null && facts.ageMs >= unwrittenForMs);
}

/** How many names there are in all. */
export async function sizeOf(batches: AsyncIterable<readonly string[]>): Promise<number> {
  let size = 0;
  for await (const batch of batches) size += batch.length;
  return size;
}

/**
 * All batches, held until it is certain that they have at most `max` names.
 * @throws BlackboardError `conflict` if there are more
 */
export async function atMost(
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
