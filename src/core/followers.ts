/** A follower as a board's user sees it. */
import type { Follower } from "./backend.ts";
import type { Gap, Message } from "./types.ts";

/** Who is told what, and in which words. */
export interface FollowerView {
  /** A whole name as the user knows it. */
  readonly shown: (whole: string) => string;
  readonly onGap: (gap: Gap["gap"]) => void;
  /** Closes it; what closing may say then has nobody to hear it, the loop ends all the same. */
  readonly signal: AbortSignal | undefined;
}

/** The same follower, its channels named as the user knows them, its gaps told apart. */
export function forBoard(follower: Follower<Message | Gap>, view: FollowerView): Follower {
  const stop = () => follower.close().catch(() => {});
  view.signal?.addEventListener("abort", stop, { once: true });
  return {
    ready: follower.ready,
    close: () => follower.close(),
    async *[Symbol.asyncIterator]() {
      try {
        for await (const item of follower) {
          if ("gap" in item) view.onGap({ ...item.gap, channel: view.shown(item.gap.channel) });
          else yield shownMessage(item, view.shown);
        }
      } finally {
        view.signal?.removeEventListener("abort", stop);
      }
    },
  };
}

/** The same message, its channels named as the user knows them. */
export function shownMessage(message: Message, shown: (whole: string) => string): Message {
  const failure = message.failure && { ...message.failure, channel: shown(message.failure.channel) };
  return { ...message, channel: shown(message.channel), failure };
}

/** For a signal that is aborted already: nothing is followed, nothing comes. */
export function endedFollower(): Follower {
  return {
    ready: Promise.resolve(),
    close: async () => {},
    async *[Symbol.asyncIterator]() {},
  };
}
