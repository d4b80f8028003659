/** The messages, or changes, that no worker of a consumer was handed yet. */
import type { Board } from "./board.ts";
import { bytesIn, numberIn, type Row } from "./cells.ts";
import type { Desk } from "./desk.ts";
import { drop, lastNumber } from "./log.ts";
import { handedOutUpTo } from "./position.ts";
import type { Place, Tray } from "./tray.ts";

/** The most pages that one transaction looks through. */
const PAGES = 8;
/** The most rows of a page that is only looked at. */
const LOOKED_AT = 256;

/** CROSS JOIN: in SQLite, the order of the loops. */
const PAGE = `SELECT log.n, log.stream, log.unsynced, log.name, streams.channel, streams.dropped,
  coalesce(positions.delivered, ?2) AS delivered
  FROM log CROSS JOIN streams ON streams.id = log.stream
  LEFT JOIN positions ON positions.consumer = ?1 AND positions.stream = log.stream
  WHERE log.n > ?3 AND (log.kind <> 'message') = ?6 AND streams.board = ?4 AND log.n > coalesce(positions.delivered, ?2)
  ORDER BY log.n LIMIT ?5`;
const DELIVERED = `INSERT INTO positions (consumer, stream, delivered) VALUES (?, ?, ?)
  ON CONFLICT DO UPDATE SET delivered = max(delivered, excluded.delivered)`;

export class News {
  readonly #board: Board;
  readonly #desk: Desk;
  /** Where the worker began, and up to where everything selected was handed out, but for what is left out. */
  readonly #start: number;
  #floor: number;
  /** Streams. */
  #leftOut: ReadonlySet<number> = new Set();
  /** The newest change before which nothing was lost or left to hand out: those up to here were of other keys. */
  #passed: Pick<Place, "stream" | "n"> | null = null;
  #isSaved = true;

  constructor(board: Board, desk: Desk, floor: number) {
    this.#board = board;
    this.#desk = desk;
    this.#start = floor;
    this.#floor = floor;
  }

  /** Nothing of these streams is to be had for now. They only become fewer. */
  leaveOut(streams: ReadonlySet<number>): void {
    if (streams.size < this.#leftOut.size) this.#floor = this.#start; // what was left out is behind it
    this.#leftOut = streams;
  }

  /** Whether there are any. Small pages first: in a busy channel the first row is one. */
  areThere(): boolean {
    for (let size = 1; ; size = Math.min(size * 8, LOOKED_AT)) {
      const last = lastNumber(this.#board.db); // before the page: what is logged meanwhile is behind it
      const rows = this.#page(this.#floor, size);
      if (this.#passTo(rows)) return true;
      this.#floor = endOf(rows, size) ?? Math.max(this.#floor, last);
      if (rows.length < size) return false;
      // Much of what is not for this consumer: it is not worth reading row by row.
      if (size === LOOKED_AT)
        this.#floor = Math.max(this.#floor, handedOutUpTo(this.#board, this.#desk.member));
    }
  }

  /** Whether it has passed changes of other keys since the last `save`. */
  get hasPassed(): boolean {
    return !this.#isSaved;
  }

  /** Moves the consumer's position past them, so that retention does not wait for it; part of a write transaction. */
  save(): void {
    if (this.#isSaved || this.#passed === null) return;
    const { stream, n } = this.#passed;
    this.#board.db.run(DELIVERED, this.#desk.member.consumer, stream, n);
    this.#isSaved = true;
  }

  /**
   * Takes the oldest, part of a write transaction.
   * @returns to be called once that is committed
   */
  take(tray: Tray): () => void {
    const handed = new Map<number, number>();
    let floor = this.#floor;
    for (let pages = 0; pages < PAGES && tray.room > 0; pages++) {
      const size = tray.room;
      const rows = this.#page(floor, size);
      floor = this.#takeFrom(rows, tray, handed) ?? endOf(rows, size) ?? lastNumber(this.#board.db);
      if (rows.length === 0) break;
    }
    const { consumer } = this.#desk.member;
    for (const [stream, n] of handed) this.#board.db.run(DELIVERED, consumer, stream, n);
    return () => {
      this.#floor = floor;
    };
  }

  /** @returns where it had to stop, if the tray was full or the page has to be read anew */
  #takeFrom(rows: readonly Row[], tray: Tray, handed: Map<number, number>): number | null {
    for (const row of rows) {
      const before = numberIn(row, "n") - 1;
      if (tray.room === 0) return before;
      if (!this.#isRead(row)) continue;
      const isSelected = this.#desk.member.choice.hasEntry(row);
      if (isSelected && this.#dropIfTooOld(row, tray.oldestAllowed)) return before;
      const place = placeIn(row);
      this.#tellLoss(row, place, tray, handed);
      if (isSelected) this.#hand(place, tray);
      handed.set(place.stream, place.n);
    }
    return null;
  }

  /** With all of the channel that is too old, so that the gap is told; retention leaves unsynced messages alone. */
  #dropIfTooOld(row: Row, oldestAllowed: number): boolean {
    if (numberIn(row, "n") >= oldestAllowed || numberIn(row, "unsynced") === 1) return false;
    drop(this.#board.db, numberIn(row, "stream"), oldestAllowed - 1, Number.MAX_SAFE_INTEGER, true);
    return true;
  }

  #hand(place: Place, tray: Tray): void {
    tray.add(place, 1);
    this.#desk.hold(place.n, place.stream);
  }

  #tellLoss(row: Row, place: Place, tray: Tray, handed: ReadonlyMap<number, number>): void {
    const before = handed.get(place.stream) ?? this.#doneBefore(row);
    if (numberIn(row, "dropped") > before) tray.addGap(place.channel, before, place.n);
  }

  #doneBefore(row: Row): number {
    return Math.max(numberIn(row, "delivered"), this.#passed?.n ?? 0);
  }

  #page(floor: number, size: number): readonly Row[] {
    const { consumer, start, choice } = this.#desk.member;
    const ofKeys = choice.isOfKeys ? 1 : 0;
    return this.#board.db.all(PAGE, consumer, start, floor, this.#board.prefix, size, ofKeys);
  }

  /** Passes changes of other keys. @returns whether it came to something to hand out, or a loss to tell */
  #passTo(rows: readonly Row[]): boolean {
    for (const row of rows.filter((row) => this.#isRead(row))) {
      const n = numberIn(row, "n");
      if (this.#desk.member.choice.hasEntry(row) || numberIn(row, "dropped") > this.#doneBefore(row)) {
        this.#floor = n - 1;
        return true;
      }
      this.#passed = { stream: numberIn(row, "stream"), n };
      this.#isSaved = false;
    }
    return false;
  }

  /** Whether the row's stream is selected. */
  #isRead(row: Row): boolean {
    if (this.#leftOut.has(numberIn(row, "stream"))) return false;
    return this.#desk.member.choice.hasStream(bytesIn(row, "channel"), this.#board.prefix);
  }
}

function placeIn(row: Row): Place {
  return { n: numberIn(row, "n"), stream: numberIn(row, "stream"), channel: bytesIn(row, "channel") };
}

/** Up to where a full page has everything; `null`: it was not full. */
function endOf(rows: readonly Row[], size: number): number | null {
  const newest = rows.at(-1);
  return newest === undefined || rows.length < size ? null : numberIn(newest, "n");
}
