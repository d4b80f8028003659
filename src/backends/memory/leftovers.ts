/** What other workers of a consumer were handed and did not finish. */
import { bytesIn, numberIn, type Row } from "./cells.ts";
import type { Database } from "./database.ts";
import type { Desk } from "./desk.ts";
import type { Place, Tray } from "./tray.ts";

/** Asked most often, and most often there is nothing. */
const IS_ANY = "SELECT 1 FROM pending WHERE consumer = ? AND worker <> ? LIMIT 1";
/** The oldest first. */
const HELD = `SELECT stream, channel, min(due) AS due FROM pending JOIN streams ON streams.id = pending.stream
  WHERE consumer = ? AND worker <> ? GROUP BY stream ORDER BY min(n)`;
const OVERDUE = `SELECT n, attempt FROM pending
  WHERE consumer = ? AND worker <> ? AND stream = ? AND due <= ? ORDER BY n LIMIT ?`;

/** A channel of which others hold messages. */
interface Held {
  readonly stream: number;
  readonly channel: Buffer;
  /** When the first of them may be taken over, in milliseconds since the epoch. */
  readonly due: number;
}

export class Leftovers {
  readonly #db: Database;
  readonly #desk: Desk;

  constructor(db: Database, desk: Desk) {
    this.#db = db;
    this.#desk = desk;
  }

  /** From when on there is something to take over; `Infinity`: others hold nothing. */
  nextDue(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#held().map(({ due }) => due));
  }

  takeOver(tray: Tray, now: number): void {
    for (const held of this.#held()) {
      if (held.due <= now) this.#takeOverIn(held, tray, now);
    }
  }

  #held(): readonly Held[] {
    const { consumer, worker, selects } = this.#desk.member;
    if (this.#db.get(IS_ANY, consumer, worker) === undefined) return [];
    return this.#db
      .all(HELD, consumer, worker)
      .map(toHeld)
      .filter(({ channel }) => selects(channel));
  }

  #takeOverIn({ stream, channel }: Held, tray: Tray, now: number): void {
    const { consumer, worker } = this.#desk.member;
    for (const row of this.#db.all(OVERDUE, consumer, worker, stream, now, tray.room)) {
      if (tray.room === 0) return;
      const place = { n: numberIn(row, "n"), stream, channel };
      if (tray.add(place, numberIn(row, "attempt") + 1)) this.#desk.takeOver(place.n);
      else this.#giveUp(place, tray);
    }
  }

  #giveUp(place: Place, tray: Tray): void {
    this.#desk.done(place.n);
    tray.addGap(place.channel, place.n - 1, tray.nextOf(place));
  }
}

function toHeld(row: Row): Held {
  return { stream: numberIn(row, "stream"), channel: bytesIn(row, "channel"), due: numberIn(row, "due") };
}
