/** A follower seen from outside its board. */
import type { Follower } from "./backend.ts";

/** The same follower, its channels named as the board's user knows them. */
export function withShownChannels(follower: Follower, shown: (whole: string) => string): Follower {
  return {
    ready: follower.ready,
    close: () => follower.close(),
    async *[Symbol.asyncIterator]() {
      for await (const message of follower) yield { ...message, channel: shown(message.channel) };
    },
  };
}
