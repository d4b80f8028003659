/**
 * Sending messages. Those that are sent without waiting for one another go together: the transaction is most of what a
 * message costs (about 30 µs of 50), and many are sent at once when a program's output is streamed.
 */
import type { Bytes, PublishResult } from "../../core/types.ts";
import { type Board, checkSize } from "./board.ts";
import type { Channels, Letter } from "./channels.ts";

/** One transaction takes so many messages, or bytes, or one message: others wait for the file meanwhile. */
const MOST_TOGETHER = 100;
const MOST_BYTES = 1024 * 1024;

/** A message, and who wants to know what became of it. */
interface Outgoing {
  readonly letter: Letter;
  readonly resolve: (result: PublishResult) => void;
  readonly reject: (error: unknown) => void;
}

export class Outbox {
  readonly #board: Board;
  readonly #channels: Channels;
  #outgoing: Outgoing[] = [];

  constructor(board: Board, channels: Channels) {
    this.#board = board;
    this.#channels = channels;
  }

  /** Logs the message, which is how followers get it, and counts them; before anything else is done with the file. */
  async publish(channel: string, payload: Bytes, agent: string): Promise<PublishResult> {
    checkSize("payload", payload);
    const letter = { channel, payload, agent, failure: null };
    return new Promise((resolve, reject) => {
      if (this.#outgoing.length === 0) this.#board.db.putOff(this.#sendAll);
      this.#outgoing.push({ letter, resolve, reject });
    });
  }

  readonly #sendAll = (): void => {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    while (outgoing.length > 0) this.#send(outgoing.splice(0, countOf(outgoing)));
  };

  #send(together: readonly Outgoing[]): void {
    try {
      const sent = this.#board.change((now) =>
        together.map(({ letter, resolve }) => ({ resolve, result: this.#channels.send(letter, now) })),
      );
      for (const { resolve, result } of sent) resolve(result);
    } catch (error) {
      for (const { reject } of together) reject(error);
    }
  }
}

/** How many of the first go together, one at least. */
function countOf(outgoing: readonly Outgoing[]): number {
  let bytes = 0;
  const over = outgoing.findIndex(({ letter }, index) => {
    bytes += letter.payload.length;
    return index === MOST_TOGETHER || (bytes > MOST_BYTES && index > 0);
  });
  return over === -1 ? outgoing.length : over;
}
