/** The redis store on a test's own server, short of everything above the store. */
import { onTestFinished } from "vitest";
import { openRedis, type RedisOptions, type RedisStore } from "../../src/backends/redis/index.ts";
import type { Backend, Follower, FollowOptions } from "../../src/core/backend.ts";
import { parseRedisUrl } from "../../src/core/redis-url.ts";
import type { FollowState, Gap, Message, Selection } from "../../src/core/types.ts";
import { within } from "./until.ts";

export const CONNECT_MS = 5000;

export function redisOptions(url: string, changes: Partial<RedisOptions> = {}): RedisOptions {
  const history = { messagesPerChannel: 1000, changes: 10_000, maxAgeMs: 7 * 86_400_000 };
  return { address: parseRedisUrl(url), prefix: "timmy", timeoutMs: 5000, history, ...changes };
}

/** An open store that is closed when the test is over. */
export async function openBoard(url: string, changes: Partial<RedisOptions> = {}): Promise<RedisStore> {
  const store = await openRedis(redisOptions(url, changes), CONNECT_MS);
  onTestFinished(() => store.close());
  return store;
}

/** A follower that is ready, what it says about its store, and a way to take what comes next. */
export interface Following {
  readonly follower: Follower<Message | Gap>;
  readonly states: FollowState[];
  /** So many messages; a gap among them is an error. */
  take(count: number): Promise<Message[]>;
  /** So many messages and gaps; fewer if it ends before. */
  takeAny(count: number): Promise<Array<Message | Gap>>;
}

/** Live and with nothing of the past, unless told otherwise. */
export async function follow(
  store: Backend,
  selection: Partial<Selection>,
  how: Partial<FollowOptions> = {},
): Promise<Following> {
  const states: FollowState[] = [];
  const options = { onState: (state: FollowState) => states.push(state), from: null, live: true, ...how };
  const follower = store.follow({ channels: [], patterns: [], ...selection }, options);
  await within("the follower to be ready", follower.ready);
  const takeAny = taker(follower);
  return { follower, states, takeAny, take: async (count) => (await takeAny(count)).map(onlyMessage) };
}

/** Takes items without ending the iteration, which leaving a loop would. */
export function taker<Item>(follower: Follower<Item>): (count: number) => Promise<Item[]> {
  const iterator = follower[Symbol.asyncIterator]();
  return async (count) => {
    const taken: Item[] = [];
    while (taken.length < count) {
      const next = await within(`item ${taken.length + 1} of ${count}`, iterator.next(), 30_000);
      if (next.done) break;
      taken.push(next.value);
    }
    return taken;
  };
}

function onlyMessage(item: Message | Gap): Message {
  if ("gap" in item) throw new Error(`a gap where a message was to come: ${JSON.stringify(item)}`);
  return item;
}

/** What came, for people: a message's payload; `gap`, and whether something stands behind it. */
export function texts(items: ReadonlyArray<Message | Gap>): string[] {
  return items.map((item) => {
    if ("gap" in item) return item.gap.next === null ? "gap at the end" : "gap";
    return item.payload.toString();
  });
}

export const bytes = (text: string): Buffer => Buffer.from(text);
/** Written by this agent, with no condition and no end. */
export const plainly = { ttlMs: null, condition: null, fence: null, agent: "me" } as const;
