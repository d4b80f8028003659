/** The redis store. Loading this loads no driver; connecting does. */
import { type RedisOptions, RedisStore } from "./store.ts";

export { UnreachableError } from "./errors.ts";
export type { RedisOptions, RedisStore } from "./store.ts";

/** A store that connects at its first operation, or by its `connect`. */
export function createRedis(options: RedisOptions): RedisStore {
  return new RedisStore(options);
}

/**
 * A store that is connected.
 * @throws UnreachableError if nobody answers within the given milliseconds; BlackboardError `config` or `unavailable`
 * if somebody answers and refuses
 */
export async function openRedis(options: RedisOptions, connectMs: number): Promise<RedisStore> {
  const store = createRedis(options);
  try {
    await store.connect(connectMs);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
