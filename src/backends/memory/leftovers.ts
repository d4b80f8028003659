/**
 * What other workers of a consumer were handed and did not finish. A worker that came alone takes it over in order, before
 * anything newer of the same channel.
 */
import { bytesIn, numberIn, type Row, textIn } from "./cells.ts";
import type { Database } from "./database.ts";
import type { Desk } from "./desk.ts";
import type { Place, Tray } from "./tray.ts";

/** Asked most often, and most often there is nothing. */
const IS_ANY = "SELECT 1 FROM pending WHERE consumer = ? AND worker <> ? LIMIT 1";
/** The oldest first. */
const HELD = `SELECT stream, board, channel, min(due) AS due FROM pending JOIN streams ON streams.id = pending.stream
  WHERE consumer = ? AND worker <> ? GROUP BY stream ORDER BY min(n)`;
const OVERDUE = `SELECT n, attempt, due FROM pending
  WHERE consumer = ?1 AND worker <> ?2 AND stream = ?3 AND due <= ?5 ORDER BY n LIMIT ?4`;
const IN_ORDER = `SELECT n, attempt, due FROM pending
  WHERE consumer = ?1 AND worker <> ?2 AND stream = ?3 ORDER BY n LIMIT ?4`;
/** What was given back need not be waited for. */
const LOST = `SELECT count(*) AS held, coalesce(max(due), 0) AS due FROM pending
  WHERE consumer = ? AND worker <> ? AND worker <> '' AND stream = ?`;

/** A channel of which others hold messages. */
interface Held {
  readonly stream: number;
  readonly channel: Buffer;
  /** When the first of them may be taken over, in milliseconds since the epoch. */
  readonly due: number;
}

/** Messages that are waited for, and until when at most, in milliseconds since the epoch. */
export interface Lost {
  readonly held: number;
  readonly due: number;
}

export class Leftovers {
  readonly #db: Database;
  readonly #desk: Desk;
  /** Streams of which nothing newer is to be had; `null`: not looked for yet. */
  #ordered: ReadonlySet<number> | null;

  /** @param isAlone whether the consumer had no living worker when this one came */
  constructor(db: Database, desk: Desk, isAlone: boolean) {
    this.#db = db;
    this.#desk = desk;
    this.#ordered = isAlone ? null : new Set();
  }

  /**
   * Streams of which nothing newer is to be had now; they only become fewer. To be asked before anything is changed in a
   * transaction, which may be rolled back.
   */
  ordered(): ReadonlySet<number> {
    if (this.#ordered?.size === 0) return this.#ordered;
    this.#ordered = this.#desk.hasCompany() ? new Set() : this.stillOrdered();
    return this.#ordered;
  }

  /** What of that is left after `takeOver`. */
  stillOrdered(): ReadonlySet<number> {
    const before = this.#ordered;
    if (before?.size === 0) return before;
    const held = this.#held().map(({ stream }) => stream);
    return new Set(held.filter((stream) => before?.has(stream) ?? true));
  }

  /** What is waited for, if there is anything. */
  lost(): Lost | null {
    const ordered = [...(this.#ordered ?? [])];
    return ordered.length === 0 ? null : this.#db.read(() => this.#lostIn(ordered));
  }

  /** From when on there is something to take over; `Infinity`: others hold nothing. */
  nextDue(): number {
    return this.#held().reduce((least, held) => Math.min(least, this.#dueOf(held)), Number.POSITIVE_INFINITY);
  }

  takeOver(tray: Tray, now: number): void {
    for (const held of this.#held()) {
      if (held.due <= now) this.#takeOverIn(held, tray, now);
    }
  }

  #held(): readonly Held[] {
    const { consumer, worker, choice } = this.#desk.member;
    if (this.#db.get(IS_ANY, consumer, worker) === undefined) return [];
    return this.#db
      .all(HELD, consumer, worker)
      .filter((row) => choice.hasStream(bytesIn(row, "channel"), textIn(row, "board")))
      .map(toHeld);
  }

  /** When there is something to take over: in order, that is the oldest. */
  #dueOf({ stream, due }: Held): number {
    if (!this.#isOrdered(stream)) return due;
    const { consumer, worker } = this.#desk.member;
    return numberIn(this.#db.one(IN_ORDER, consumer, worker, stream, 1), "due");
  }

  #takeOverIn({ stream, channel }: Held, tray: Tray, now: number): void {
    for (const row of this.#rowsOf(stream, tray, now)) {
      if (tray.room === 0 || numberIn(row, "due") > now) return;
      const place = { n: numberIn(row, "n"), stream, channel };
      if (tray.add(place, numberIn(row, "attempt") + 1)) this.#desk.takeOver(place.n);
      else this.#giveUp(place, tray);
    }
  }

  #lostIn(streams: readonly number[]): Lost {
    const { consumer, worker } = this.#desk.member;
    const rows = streams.map((stream) => this.#db.one(LOST, consumer, worker, stream));
    const held = rows.reduce((sum, row) => sum + numberIn(row, "held"), 0);
    return { held, due: Math.max(...rows.map((row) => numberIn(row, "due"))) };
  }

  #rowsOf(stream: number, tray: Tray, now: number): readonly Row[] {
    const { consumer, worker } = this.#desk.member;
    const which = [consumer, worker, stream, tray.room] as const;
    return this.#isOrdered(stream) ? this.#db.all(IN_ORDER, ...which) : this.#db.all(OVERDUE, ...which, now);
  }

  #isOrdered(stream: number): boolean {
    return this.#ordered?.has(stream) ?? false;
  }

  #giveUp(place: Place, tray: Tray): void {
    this.#desk.done(place.n);
    tray.addGap(place.channel, place.n - 1, tray.nextOf(place));
  }
}

function toHeld(row: Row): Held {
  return { stream: numberIn(row, "stream"), channel: bytesIn(row, "channel"), due: numberIn(row, "due") };
}
