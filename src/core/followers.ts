/** A follower as a board's user sees it. */
import type { Follower } from "./backend.ts";
import type { Entry, Gap, Message } from "./types.ts";

/** Who is told what, and in which words. */
export interface FollowerView<Item extends Entry> {
  /** An entry as the user gets it; as far as that is known when `stop` is aborted. */
  readonly view: (entry: Item, stop: AbortSignal) => Item | Promise<Item>;
  /** A whole name as the user knows it. */
  readonly shown: (whole: string) => string;
  readonly onGap: (gap: Gap["gap"]) => void;
  /** Closes it; what closing may say then has nobody to hear it, the loop ends all the same. */
  readonly signal: AbortSignal | undefined;
}

/** The same follower, its names as the user knows them, its gaps told apart. @param closed aborted when the board is closed */
export function forBoard<Item extends Entry>(
  follower: Follower<Item | Gap>,
  { view, shown, onGap, signal }: FollowerView<Item>,
  closed: AbortSignal,
): Follower<Item> {
  const end = new AbortController();
  const stop = () => end.abort();
  const close = async () => {
    stop();
    await follower.close();
  };
  signal?.addEventListener("abort", () => void close().catch(() => {}), { signal: end.signal });
  closed.addEventListener("abort", stop, { signal: end.signal }); // the store closes the follower
  return {
    ready: follower.ready,
    close,
    async *[Symbol.asyncIterator]() {
      try {
        for await (const item of follower) {
          if ("gap" in item) onGap(shownGap(item, shown));
          else yield view(item, end.signal);
        }
      } catch (error) {
        if (!closed.aborted) throw error; // else it ends, as what is followed does when the board is closed
      } finally {
        stop();
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
