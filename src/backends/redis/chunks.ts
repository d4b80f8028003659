/** Keys a script takes at once, so that it does not hold up other clients for more than a few milliseconds. */
export const KEYS_A_SCRIPT = 100;

/** A list in parts that are not too much for one step. */
export function* chunks<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
