/** Where a command's messages come from: alike, whether it follows channels or works as one of a consumer. */
import type { Blackboard } from "../../blackboard.ts";
import type { Follower } from "../../core/backend.ts";
import type { WaitOptions } from "../../core/board-options.ts";
import type { Gap, Message } from "../../core/types.ts";
import type { Wanted } from "./options.ts";

/** A message to be dealt with. */
export interface Taken {
  readonly message: Message;
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

/** Resolves when no message can be missed any more. */
export async function openFeed(
  board: Blackboard,
  channels: readonly string[],
  { consumer, follow }: Pick<Wanted, "consumer" | "follow">,
  waiting: WaitOptions,
): Promise<Feed> {
  if (consumer !== null) return board.consume(channels, { ...consumer, ...waiting });
  const follower = board.subscribe(channels, { ...follow, ...waiting });
  await follower.ready;
  return feedOf(follower);
}

function feedOf(follower: Follower): Feed {
  const messages = follower[Symbol.asyncIterator]();
  return {
    async next() {
      const { done, value } = await messages.next();
      return done ? null : { message: value, attempt: null };
    },
    ack: async () => {},
    fail: async () => "failed",
    release: async () => {},
    async close() {
      await follower.close();
      await messages.return?.();
    },
  };
}

/** Gaps, which a callback tells of while the next message is awaited, in their places among the messages. */
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
