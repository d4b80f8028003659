/** Keys a script takes at once, so that it does not hold up other clients for more than a few milliseconds. */
export const KEYS_A_SCRIPT = 200;

/** A list in parts that are not too much for one step. */
export function* chunks<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

/**
 * Does a step for each part of at most so many, in order, two under way: one for the server, and the next one on its way to it; more would hold others up. After a
 * failure nothing is begun any more. The failures, when what was under way has ended.
 */
export async function inTurn<Item>(
  items: readonly Item[],
  size: number,
  step: (some: readonly Item[], at: number) => Promise<void>,
): Promise<readonly unknown[]> {
  const even = Math.ceil(items.length / Math.ceil(items.length / size)); // no script for the few that are left over
  let next = 0;
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const at = next;
      next += even;
      await step(items.slice(at, next), at).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all([lane(), lane()]);
  return failures;
}
