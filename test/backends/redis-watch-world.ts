/** Following keys on a real server. */
import type { RedisStore } from "../../src/backends/redis/index.ts";
import type { Backend, FollowOptions } from "../../src/core/backend.ts";
import type { Change, FollowState, Gap, KeySelection } from "../../src/core/types.ts";
import { bytes, taker } from "../helpers/redis-board.ts";
import { within } from "../helpers/until.ts";

/** A follower of keys that is ready. */
export interface Watch {
  readonly states: FollowState[];
  /** So many changes and gaps, fewer if it ends before. */
  take(count: number): Promise<Array<Change | Gap>>;
  /** The same, in words. */
  words(count: number): Promise<string[]>;
  /** All up to the change of this key, which is not among them, in words. */
  wordsUpTo(key: string): Promise<string[]>;
  close(): Promise<void>;
}

/** Live and with nothing of the past, unless told otherwise. Keys are without the prefix. */
export async function watch(
  store: Backend,
  { keys = [], patterns = [] }: Partial<KeySelection>,
  how: Partial<FollowOptions> = {},
  prefix = "timmy:",
): Promise<Watch> {
  const states: FollowState[] = [];
  const whole = { keys: keys.map((key) => prefix + key), patterns: patterns.map((one) => prefix + one) };
  const options = { onState: (state: FollowState) => states.push(state), from: null, live: true, ...how };
  const follower = store.follow(whole, options);
  await within("the watcher to be ready", follower.ready);
  const take = taker(follower);
  const inWords = (item: Change | Gap) => toWords(item, prefix);
  return {
    states,
    take,
    words: async (count) => (await take(count)).map(inWords),
    async wordsUpTo(key) {
      const words: string[] = [];
      for (;;) {
        const [item] = await take(1);
        if (item === undefined || (!("gap" in item) && item.key === prefix + key)) return words;
        words.push(inWords(item));
      }
    },
    close: () => follower.close(),
  };
}

/** `event key value by`; a foreign client's is by `?`, nobody's by `-`. */
function toWords(item: Change | Gap, prefix: string): string {
  if ("gap" in item) return `gap ${item.gap.channel} ${item.gap.next === null ? "to the end" : "before"}`;
  const { event, key, value, id, by } = item;
  const author = by ?? (id === null ? "?" : "-");
  return [event, key.slice(prefix.length), ...(value === null ? [] : [value.toString()]), author].join(" ");
}

/** Without a time to live, unless one is given. */
export async function set(store: RedisStore, key: string, value: string, ttlMs: number | null = null) {
  const result = await store.set(`timmy:${key}`, bytes(value), {
    ttlMs,
    condition: null,
    fence: null,
    agent: "me",
  });
  return result.written ? result.id : "";
}
