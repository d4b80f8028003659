/** Which streams of the log a selection means, and what their channels are called. */
import { bytesIn, type Row, textIn } from "./cells.ts";
import type { Database } from "./database.ts";
import type { Choice } from "./selection.ts";

/** Streams remembered; more are looked up again. */
const REMEMBERED = 10_000;

const STREAM = "SELECT board, channel FROM streams WHERE id = ?";

export class Streams {
  readonly #db: Database;
  readonly #choice: Choice;
  /** The channel of a selected stream, `null` for another. A stream keeps its name, and its id never comes back. */
  readonly #known = new Map<number, Buffer | null>();

  constructor(db: Database, choice: Choice) {
    this.#db = db;
    this.#choice = choice;
  }

  /** Whether keys are followed, not channels. */
  get areOfKeys(): boolean {
    return this.#choice.isOfKeys;
  }

  /** The channel of the stream, if it is selected. It must exist, unless it was asked for before. */
  channelOf(stream: number): Buffer | null {
    const known = this.#known.get(stream);
    if (known !== undefined) return known;
    const row = this.#db.one(STREAM, stream);
    const channel = this.has(row) ? bytesIn(row, "channel") : null;
    this.#known.set(stream, channel);
    return channel;
  }

  /** Whether the stream is selected; by the `board` and `channel` in its row. */
  has(row: Row): boolean {
    return this.#choice.hasStream(bytesIn(row, "channel"), textIn(row, "board"));
  }

  /** Whether an entry of such a stream is selected; by the `name` in its row. */
  hasEntry(row: Row): boolean {
    return this.#choice.hasEntry(row);
  }

  /** To be called when none of what was asked for is needed any more. */
  prune(): void {
    if (this.#known.size > REMEMBERED) this.#known.clear();
  }
}
