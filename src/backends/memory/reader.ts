/** Reading messages from the log, in order, from a position onwards. */
import { BlackboardError } from "../../core/errors.ts";
import type { Matcher } from "../../core/glob.ts";
import { numberToId, numberToMs } from "../../core/ids.ts";
import { decodeName } from "../../core/names.ts";
import type { Message } from "../../core/types.ts";
import { bytesIn, numberIn, orNull, type Row, textIn } from "./cells.ts";
import type { Database } from "./database.ts";
import { CHANGES } from "./log.ts";

/** Without the payloads, which may be large and not wanted. CROSS JOIN: in SQLite, the order of the loops. */
const PAGE = `SELECT log.n, log.kind, streams.channel, (SELECT forced FROM counter) AS forced
  FROM log CROSS JOIN streams ON streams.id = log.stream WHERE log.n > ? ORDER BY log.n LIMIT 256`;
const MESSAGE = "SELECT author, data FROM log WHERE n = ?";
const DROPPED = "SELECT channel FROM streams WHERE dropped > ? AND channel > ?";

export class Reader {
  readonly #db: Database;
  readonly #selects: Matcher;
  #position: number;
  #page: readonly Row[] = [];
  #at = 0;

  /** @param position the number of the last log entry that is not wanted any more */
  constructor(db: Database, selects: Matcher, position: number) {
    this.#db = db;
    this.#selects = selects;
    this.#position = position;
  }

  /** The number of the last log entry read. */
  get position(): number {
    return this.#position;
  }

  /** The next message, or `null` if all have been read. @throws BlackboardError `unavailable` if one is lost */
  next(): Message | null {
    for (;;) {
      const row = this.#page[this.#at++] ?? this.#turnPage();
      if (row === null) return null;
      const n = numberIn(row, "n");
      const channel = bytesIn(row, "channel");
      const isWanted = textIn(row, "kind") === "message" && this.#selects(channel);
      const message = isWanted ? this.#message(n, channel) : null;
      this.#position = n;
      if (message !== null) return message;
    }
  }

  /** @throws BlackboardError `unavailable` if retention took a selected message that was not read yet */
  checkNothingLost(): void {
    const rows = this.#db.read(() => this.#db.all(DROPPED, this.#position, CHANGES));
    if (rows.some((row) => this.#selects(bytesIn(row, "channel")))) throw lost();
  }

  #turnPage(): Row | null {
    this.#page = this.#db.read(() => this.#db.all(PAGE, this.#position));
    const first = this.#page[0];
    this.#at = 1;
    if (first === undefined) return null;
    if (numberIn(first, "forced") > this.#position) this.checkNothingLost();
    return first;
  }

  #message(n: number, channel: Buffer): Message {
    const row = this.#db.read(() => this.#db.get(MESSAGE, n));
    if (row === undefined) throw lost();
    const payload = bytesIn(row, "data");
    const by = orNull(row, "author", textIn);
    return { channel: decodeName(channel), payload, id: numberToId(n), by, at: numberToMs(n) };
  }
}

function lost(): BlackboardError {
  return new BlackboardError("unavailable", "messages were dropped before this follower read them", {
    hint: "it was stopped or too slow for too long; start it again, or raise blackboard.history",
  });
}
