/** Reading entries from the log, in order, from a position onwards, and noticing what is missing. */
import { contentOf, isGap } from "../../core/entry.ts";
import type { Entry, Gap } from "../../core/types.ts";
import { bytesIn, numberIn, type Row } from "./cells.ts";
import type { Database } from "./database.ts";
import type { Beginning } from "./history.ts";
import { lastNumber } from "./log.ts";
import { COLUMNS, toEntry } from "./logged.ts";
import { Losses } from "./losses.ts";
import type { Streams } from "./streams.ts";

type Item = Entry | Gap;

const PAGE_ROWS = 256;
/** Whether nothing can be missing behind the position: retention has waited for the reader's row. */
const IS_WHOLE =
  "(SELECT forced FROM counter) <= ?1 AND EXISTS (SELECT 1 FROM followers WHERE id = ?2) AS whole";
/** Payloads and values up to 4 KiB come with their page, which is thus 1 MiB at most; a larger one when it is its turn. */
const PAGE_BYTES = 4096;
const PAGE = `SELECT n, stream, unsynced, kind, author, size, name, failure,
  CASE WHEN size <= ${PAGE_BYTES} THEN data END AS data, ${IS_WHOLE}
  FROM log WHERE n > ?1 AND n <= ?3 AND (kind <> 'message') = ?4 ORDER BY n LIMIT ${PAGE_ROWS}`;
const LARGE = `SELECT ${COLUMNS} FROM log WHERE n = ?`;
const DROPPED = "SELECT id, board, channel, dropped FROM streams WHERE dropped > ?";
const UNREAD = "SELECT id, board, channel, last FROM streams WHERE last > ?";

/** What is kept in memory when the file is let go of: so many entries, and so many bytes or one entry. */
const HELD_ENTRIES = 1000;
const HELD_BYTES = 16 * 1024 * 1024;

export class Reader {
  readonly #db: Database;
  readonly #streams: Streams;
  readonly #losses: Losses;
  #position: number;
  #page: readonly Row[] = [];
  #at = 0;
  #hasRead = false;
  /** The newest entry of any kind when the page was read. */
  #newest = 0;
  /** Nothing newer was there when the page was read. */
  #isLastPage = false;
  /** The row in the registry that retention waits for; 0: there is none. */
  #row = 0;
  /** For a time there was no row: something may have been dropped. */
  #isUnsure = false;
  /** Nothing behind it is read. */
  #end = Number.MAX_SAFE_INTEGER;
  /** By stream: its newest entry at the end. `null`: there is no end. */
  #lasts: ReadonlyMap<number, number> | null = null;
  #held: Item[] | null = null;

  constructor(db: Database, streams: Streams, { position, lost, isAsked }: Beginning) {
    this.#db = db;
    this.#streams = streams;
    this.#position = position;
    this.#losses = new Losses(position);
    for (const loss of lost) isAsked ? this.#losses.note(loss) : this.#losses.forgive(loss);
  }

  /** The number of the last log entry read. */
  get position(): number {
    return this.#position;
  }

  /** Whether there was something of the selected streams in the page. */
  get hasRead(): boolean {
    return this.#hasRead;
  }

  /** The selected streams of which it has read entries since. */
  streamsReadSince(position: number): number[] {
    return this.#losses.readSince(position);
  }

  /** Retention waits for this row; the first one was made where reading begins, another after a time without. */
  waitedForBy(row: number): void {
    this.#isUnsure = this.#row !== 0;
    this.#row = row;
  }

  /** Reads no further than what is in the log now, and retention does not wait for it. Needs a snapshot around it. */
  end(): void {
    this.#row = 0;
    this.#end = lastNumber(this.#db);
    const selected = this.#db.all(UNREAD, this.#position).filter((row) => this.#streams.has(row));
    this.#lasts = new Map(selected.map((row) => [numberIn(row, "id"), numberIn(row, "last")]));
  }

  /** Reads the next page; false if it is the last one for now. */
  turnPage(): boolean {
    if (this.#held !== null) return false;
    this.#losses.passed(this.#position);
    this.#streams.prune();
    this.#page = this.#readPage();
    this.#at = 0;
    this.#isLastPage = this.#page.length < PAGE_ROWS;
    return !this.#isLastPage;
  }

  /** The page's next entry that is selected, or a gap before it; `null` behind the last. */
  next(): Item | null {
    if (this.#held !== null) return this.#held.shift() ?? null;
    for (let row = this.#page[this.#at]; row !== undefined; row = this.#page[this.#at]) {
      const item = this.#take(row);
      if (item !== null) return item;
    }
    if (!this.#isLastPage) return null;
    this.#position = Math.max(this.#position, this.#newest); // past what is not of the page's kind
    return this.#losses.atEnd();
  }

  /** Takes what comes next into memory, as much as may be: the file is let go of. */
  hold(): void {
    const held: Item[] = [];
    let bytes = 0;
    for (let isLast = false; held.length < HELD_ENTRIES && bytes < HELD_BYTES; ) {
      const item = this.next();
      if (item !== null) held.push(item);
      else if (isLast) break;
      else isLast = !this.turnPage();
      if (item !== null && !isGap(item)) bytes += contentOf(item).length;
    }
    this.#held = held;
  }

  /** What was dropped is asked for only when something can have been, and then at the moment the page is of. */
  #readPage(): readonly Row[] {
    const page = this.#row === 0 || this.#isUnsure ? null : this.#db.read(() => this.#wholePage());
    if (page !== null) return page;
    this.#isUnsure = false;
    return this.#db.snapshot(() => {
      this.#noteDropped();
      return this.#rows();
    });
  }

  #wholePage(): readonly Row[] | null {
    const rows = this.#rows();
    const proof = rows[0] ?? this.#db.one(`SELECT ${IS_WHOLE}`, this.#position, this.#row);
    return numberIn(proof, "whole") === 1 ? rows : null;
  }

  /** The streams' names are looked up at once: a stream that loses its last entry may be forgotten. */
  #rows(): readonly Row[] {
    const ofKeys = this.#streams.areOfKeys ? 1 : 0;
    this.#newest = Math.min(lastNumber(this.#db), this.#end); // before the page: what is logged meanwhile is behind it
    const rows = this.#db.all(PAGE, this.#position, this.#row, this.#end, ofKeys);
    this.#hasRead = false;
    for (const row of rows) {
      if (this.#streams.channelOf(numberIn(row, "stream")) !== null) this.#hasRead = true;
    }
    return rows;
  }

  #noteDropped(): void {
    for (const row of this.#db.all(DROPPED, this.#position)) {
      const stream = numberIn(row, "id");
      if (!this.#streams.has(row) || !this.#hadUnread(stream)) continue;
      this.#losses.note({ stream, channel: bytesIn(row, "channel"), upTo: numberIn(row, "dropped") });
    }
  }

  /** Before the end; what was dropped may all have come after it. */
  #hadUnread(stream: number): boolean {
    return this.#lasts === null || (this.#lasts.get(stream) ?? 0) > this.#position;
  }

  #take(row: Row): Item | null {
    const n = numberIn(row, "n");
    const stream = numberIn(row, "stream");
    const channel = this.#isShown(row, n, stream) ? this.#streams.channelOf(stream) : null;
    const entry = channel === null ? null : this.#entryIn(row, n, channel);
    const gap = channel === null ? null : this.#losses.before(stream, n);
    if (gap !== null) return gap; // the entry comes at the next call
    this.#at++;
    this.#position = n;
    if (channel !== null) this.#losses.read(stream, n);
    return entry;
  }

  #isShown(row: Row, n: number, stream: number): boolean {
    return row.unsynced !== 0 || !this.#losses.hides(stream, n);
  }

  #entryIn(row: Row, n: number, channel: Buffer): Entry | null {
    if (!this.#streams.hasEntry(row)) return null;
    const isWhole = numberIn(row, "size") <= PAGE_BYTES;
    const whole = isWhole ? row : this.#db.read(() => this.#db.get(LARGE, n));
    if (whole !== undefined) return toEntry(n, channel, whole);
    this.#losses.note({ stream: numberIn(row, "stream"), channel, upTo: n });
    return null;
  }
}
