/** A follower as a board's user sees it. */
import type { Follower } from "./backend.ts";
import type { Entry, Gap, Message } from "./types.ts";

/** Who is told what, and in which words. */
export interface FollowerView<Item extends Entry> {
  /** An entry as the user gets it. */
  readonly view: (entry: Item) => Item | Promise<Item>;
  /** A whole name as the user knows it. */
  readonly shown: (whole: string) => string;
  readonly onGap: (gap: Gap["gap"]) => void;
  /** Closes it; what closing may say then has nobody to hear it, the loop ends all the same. */
  readonly signal: AbortSignal | undefined;
}

/** The same follower, its names as the user knows them, its gaps told apart. */
export function forBoard<Item extends Entry>(
  follower: Follower<Item | Gap>,
  { view, shown, onGap, signal, closed }: FollowerView<Item> & { readonly closed: AbortSignal },
): Follower<Item> {
  const stop = () => follower.close().catch(() => {});
  signal?.addEventListener("abort", stop, { once: true });
  return {
    ready: follower.ready,
    close: () => follower.close(),
    async *[Symbol.asyncIterator]() {
      try {
        for await (const item of follower) {
          if ("gap" in item) onGap(shownGap(item, shown));
          else yield view(item);
        }
      } catch (error) {
        if (!closed.aborted) throw error; // else it ends, as what is followed does when the board is closed
      } finally {
        signal?.removeEventListener("abort", stop);
      }
    },
  };
}

/** The same message, its channels named as the user knows them. */
export function shownMessage(message: Message, shown: (whole: string) => string): Message {
  return {
    ...message,
    channel: shown(message.channel),
    failure: message.failure && {
      ...message.failure,
      channel: message.failure.channel && shown(message.failure.channel),
      key: message.failure.key && shown(message.failure.key),
    },
  };
}

export function shownGap({ gap }: Gap, shown: (whole: string) => string): Gap["gap"] {
  return { ...gap, channel: gap.channel && shown(gap.channel) };
}

/** For a signal that is aborted already: nothing is followed, nothing comes. */
export function endedFollower<Item extends Entry>(): Follower<Item> {
  return {
    ready: Promise.resolve(),
    close: async () => {},
    async *[Symbol.asyncIterator]() {},
  };
}
