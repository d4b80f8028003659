/** How much of a list is one step on every store. */

/** Redis is asked for no more keys at once: others would wait too long. */
const MOST_KEYS = 200;

/** `Command.atOnce` for a command of a list of keys: more of them are several steps, between which nothing else may come. */
export function atOnceFor(keys: readonly string[]): number {
  return keys.length > MOST_KEYS ? 1 : 1000;
}
