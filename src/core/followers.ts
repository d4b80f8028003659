/** A follower as a board's user sees it. */
import type { Follower } from "./backend.ts";

/**
 * The same follower, its channels named as the user knows them.
 * @param signal closes it; what closing may say then has nobody to hear it, the loop ends all the same
 */
export function forBoard(
  follower: Follower,
  shown: (whole: string) => string,
  signal: AbortSignal | undefined,
): Follower {
  const stop = () => follower.close().catch(() => {});
  signal?.addEventListener("abort", stop, { once: true });
  return {
    ready: follower.ready,
    close: () => follower.close(),
    async *[Symbol.asyncIterator]() {
      try {
        for await (const message of follower) yield { ...message, channel: shown(message.channel) };
      } finally {
        signal?.removeEventListener("abort", stop);
      }
    },
  };
}

/** For a signal that is aborted already: nothing is followed, nothing comes. */
export function endedFollower(): Follower {
  return {
    ready: Promise.resolve(),
    close: async () => {},
    async *[Symbol.asyncIterator]() {},
  };
}
