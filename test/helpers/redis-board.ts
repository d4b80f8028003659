/** The redis store on a test's own server, short of everything above the store. */
import { onTestFinished } from "vitest";
import { openRedis, type RedisOptions, type RedisStore } from "../../src/backends/redis/index.ts";
import type { Backend, Follower } from "../../src/core/backend.ts";
import { parseRedisUrl } from "../../src/core/redis-url.ts";
import type { FollowState, Message, Selection } from "../../src/core/types.ts";
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

/** A follower that is ready, what it says about its store, and a way to take its next messages. */
export interface Following {
  readonly follower: Follower;
  readonly states: FollowState[];
  take(count: number): Promise<Message[]>;
}

export async function follow(store: Backend, selection: Partial<Selection>): Promise<Following> {
  const states: FollowState[] = [];
  const options = { onState: (state: FollowState) => states.push(state) };
  const follower = store.follow({ channels: [], patterns: [], ...selection }, options);
  await within("the follower to be ready", follower.ready);
  return { follower, states, take: taker(follower) };
}

/** Takes messages without ending the iteration, which leaving a loop would. */
export function taker(follower: Follower): (count: number) => Promise<Message[]> {
  const iterator = follower[Symbol.asyncIterator]();
  return async (count) => {
    const taken: Message[] = [];
    while (taken.length < count) {
      const next = await within(`message ${taken.length + 1} of ${count}`, iterator.next(), 30_000);
      if (next.done) break;
      taken.push(next.value);
    }
    return taken;
  };
}

export function texts(messages: readonly Message[]): string[] {
  return messages.map(({ payload }) => payload.toString());
}

export const bytes = (text: string): Buffer => Buffer.from(text);
/** Written by this agent, with no condition and no end. */
export const plainly = { ttlMs: null, condition: null, agent: "me" } as const;
