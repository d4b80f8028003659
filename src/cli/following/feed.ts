/** Where a command's messages, or changes, come from: alike, whether it follows them or works as one of a consumer. */
import type { Blackboard } from "../../blackboard.ts";
import type { Follower } from "../../core/backend.ts";
import type { WaitOptions } from "../../core/board-options.ts";
import type { Entry, Gap } from "../../core/types.ts";
import type { Wanted } from "./options.ts";

/** A message, or a change, to be dealt with. */
export interface Taken {
  readonly entry: Entry;
  /** How often it was handed out; `null`: it is only followed, and nobody counts. */
  readonly attempt: number | null;
}

/** A `Consumer` is one; for a follower there is nothing to acknowledge and no second try. */
export interface Feed {
  /** `null`: nothing more is to come. One call at a time. */
  next(): Promise<Taken | null>;
  ack(taken: Taken): Promise<void>;
  /** To be tried once more; or that was the end of it; or another worker has it. */
  fail(taken: Taken, reason: string): Promise<Taken | "failed" | "lost">;
  release(taken: Taken): Promise<void>;
  close(): Promise<void>;
}

/** Opens it. Resolves when nothing can be missed any more. */
export type OpenFeed = (
  board: Blackboard,
  wanted: Pick<Wanted, "consumer" | "follow">,
  waiting: WaitOptions,
) => Promise<Feed>;

export function messagesOf(channels: readonly string[]): OpenFeed {
  return async (board, { consumer, follow }, waiting) =>
    consumer === null
      ? feedOf(board.subscribe(channels, { ...follow, ...waiting }), waiting)
      : board.consume(channels, { ...consumer, ...waiting });
}

export function changesOf(keys: readonly string[]): OpenFeed {
  return async (board, { consumer, follow }, waiting) =>
    consumer === null
      ? feedOf(board.watch(keys, { ...follow, ...waiting }), waiting)
      : board.consume({ keys }, { ...consumer, ...waiting });
}

async function feedOf(follower: Follower<Entry>, { signal }: WaitOptions): Promise<Feed> {
  await follower.ready.catch((error: unknown) => {
    if (!signal?.aborted) throw error; // else it was closed before it was ready: nothing will come
  });
  const entries = follower[Symbol.asyncIterator]();
  return {
    async next() {
      const { done, value } = await entries.next();
      return done ? null : { entry: value, attempt: null };
    },
    ack: async () => {},
    fail: async () => "failed",
    release: async () => {},
    async close() {
      await follower.close();
      await entries.return?.();
    },
  };
}

/** Gaps, which a callback tells of while the next entry is awaited, in their places among the entries. */
export class WithGaps {
  readonly #gaps: Gap[] = [];
  #coming: Promise<Taken | null> | null = null;
  #wake: () => void = () => {};

  tell(gap: Gap): void {
    this.#gaps.push(gap);
    this.#wake();
  }

  async next(feed: Feed): Promise<Taken | Gap | null> {
    this.#coming ??= feed.next();
    this.#coming.catch(() => {}); // it is thrown where it is waited for, if anybody still does
    const told = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.#gaps.length === 0) await Promise.race([this.#coming, told]);
    const gap = this.#gaps.shift();
    if (gap !== undefined) return gap;
    const taken = await this.#coming;
    this.#coming = null;
    return taken;
  }
}
