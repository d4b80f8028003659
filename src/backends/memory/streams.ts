/** Which streams of the log a selection means, and what their channels are called. */
import type { Matcher } from "../../core/glob.ts";
import { bytesIn } from "./cells.ts";
import type { Database } from "./database.ts";
import { CHANGES } from "./log.ts";

/** Streams remembered; more are looked up again. */
const REMEMBERED = 10_000;

const CHANNEL = "SELECT channel FROM streams WHERE id = ?";

export class Streams {
  readonly #db: Database;
  readonly #selects: Matcher;
  /** The channel of a selected stream, `null` for another. A stream keeps its name, and its id never comes back. */
  readonly #known = new Map<number, Buffer | null>();

  constructor(db: Database, selects: Matcher) {
    this.#db = db;
    this.#selects = selects;
  }

  /** The channel of the stream, if it is selected. It must exist, unless it was asked for before. */
  channelOf(stream: number): Buffer | null {
    const known = this.#known.get(stream);
    if (known !== undefined) return known;
    const name = bytesIn(this.#db.one(CHANNEL, stream), "channel");
    const channel = this.has(name) ? name : null;
    this.#known.set(stream, channel);
    return channel;
  }

  /** Patterns may match what holds the changes of keys, too. */
  has(channel: Buffer): boolean {
    return !channel.equals(CHANGES) && this.#selects(channel);
  }

  /** To be called when none of what was asked for is needed any more. */
  prune(): void {
    if (this.#known.size > REMEMBERED) this.#known.clear();
  }
}
