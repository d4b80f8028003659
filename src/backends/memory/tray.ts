/** What one transaction hands to a worker. */

import { contentOf } from "../../core/entry.ts";
import { numberToId } from "../../core/ids.ts";
import type { Entry, Gap } from "../../core/types.ts";
import type { Delivery } from "../../core/worker.ts";
import { numberIn, orNull } from "./cells.ts";
import type { Database } from "./database.ts";
import { nameOf } from "./log.ts";
import { COLUMNS, toEntry } from "./logged.ts";

/** The most messages, and bytes of payload, that one transaction hands out; the last one may go beyond. */
const MOST_MESSAGES = 256;
const MOST_BYTES = 4 * 1024 * 1024;

/** Retention leaves unsynced messages alone. */
const ENTRY = `SELECT ${COLUMNS} FROM log WHERE n = ?1 AND (n >= ?2 OR unsynced = 1)`;
const NEXT = "SELECT min(n) AS n FROM log WHERE stream = ?1 AND n > ?2 AND (n >= ?3 OR unsynced = 1)";

/** A message's place. */
export interface Place {
  readonly n: number;
  readonly stream: number;
  readonly channel: Buffer;
}

export class Tray {
  readonly items: Array<Delivery<Entry> | Gap> = [];
  /** What is older is not handed out any more, whether or not retention has come by. */
  readonly oldestAllowed: number;
  readonly #db: Database;
  /** By channel, how far the last gap reaches. */
  readonly #told = new Map<string | null, number>();
  #room: number;
  #bytes = 0;

  constructor(db: Database, most: number, oldestAllowed: number) {
    this.#db = db;
    this.#room = Math.min(most, MOST_MESSAGES);
    this.oldestAllowed = oldestAllowed;
  }

  /** How many more messages it takes. */
  get room(): number {
    return this.#bytes < MOST_BYTES ? this.#room : 0;
  }

  /** Adds a message, as this attempt; false if it is not there any more. */
  add({ n, channel }: Place, attempt: number): boolean {
    const row = this.#db.get(ENTRY, n, this.oldestAllowed);
    if (row === undefined) return false;
    const entry = toEntry(n, channel, row);
    this.items.push({ entry, attempt });
    this.#room--;
    this.#bytes += contentOf(entry).length;
    return true;
  }

  /** Unless an earlier gap of the channel reaches as far: new messages may be lost behind what others held and lost. */
  addGap(channel: Buffer, after: number, next: number | null): void {
    const name = nameOf(channel);
    const reach = next ?? Number.POSITIVE_INFINITY;
    if ((this.#told.get(name) ?? 0) >= reach) return;
    this.#told.set(name, reach);
    const id = next === null ? null : numberToId(next);
    this.items.push({ gap: { channel: name, after: numberToId(after), next: id } });
  }

  /** The first message of the channel behind this one that is still there. */
  nextOf({ stream, n }: Place): number | null {
    return orNull(this.#db.one(NEXT, stream, n, this.oldestAllowed), "n", numberIn);
  }
}
