/** Callbacks on channels: `subscribe(channel, listener)` and its end. */
import type { Follower } from "./backend.ts";
import { usageError } from "./errors.ts";
import type { Message } from "./types.ts";

/**
 * Called with each message of a channel, one after the other: the next waits until what it returns has settled.
 * What it throws is an unhandled rejection of the process.
 */
export type MessageListener = (message: Message) => unknown;

/** Who listens to what. */
export class Listeners {
  readonly #followers = new Map<string, Map<MessageListener, Follower>>();

  /** Resolves once no message can be missed. */
  async add(channel: string, listener: MessageListener, follow: () => Follower): Promise<void> {
    const ofChannel = this.#followers.get(channel) ?? new Map<MessageListener, Follower>();
    if (ofChannel.has(listener)) throw usageError("this listener follows the channel already");
    const follower = follow();
    this.#followers.set(channel, ofChannel.set(listener, follower));
    await follower.ready.catch((error: unknown) => {
      ofChannel.delete(listener);
      throw error;
    });
    void deliver(follower, listener);
  }

  /** Ends one listener's part, or every listener's of the channel. */
  async remove(channel: string, listener: MessageListener | undefined): Promise<void> {
    const ofChannel = this.#followers.get(channel);
    const ending = listener === undefined ? [...(ofChannel?.keys() ?? [])] : [listener];
    for (const one of ending) {
      const follower = ofChannel?.get(one);
      ofChannel?.delete(one);
      await follower?.close();
    }
  }
}

async function deliver(follower: Follower, listener: MessageListener): Promise<void> {
  for await (const message of follower) await listener(message);
}
