/** Appending to the log, and what retention takes away from it. All of it runs inside a write transaction. */
import { MAX_LOGGED_VALUE_BYTES } from "../../core/backend.ts";
import { writeFailure } from "../../core/failure.ts";
import { msToNumber } from "../../core/ids.ts";
import { decodeName } from "../../core/names.ts";
import type { Failure } from "../../core/types.ts";
import { type Cell, numberIn, orNull, type Row } from "./cells.ts";
import type { Database } from "./database.ts";
import { type RunRow, RunSql } from "./runs.ts";

/** The channel of the stream that holds the changes of keys: no name, for names hold no control characters. */
export const CHANGES = Buffer.of(0);

/** Whether a stream's channel says that it holds the changes of keys. */
export function isOfKeys(channel: Uint8Array): boolean {
  return channel.length === 1 && channel[0] === 0;
}

/** What a stream is called outside; `null`: the changes of keys. */
export function nameOf(channel: Buffer): string | null {
  return isOfKeys(channel) ? null : decodeName(channel);
}

/**
 * How many entries over the limit a stream keeps for a live follower that has not read them. Beyond it the oldest
 * are dropped nevertheless, and the follower is told of a gap: one stopped process must not fill the disk.
 */
const HELD_ENTRIES = 100_000;
/** The most entries one transaction takes away, so that it stays short; more than one can add to a stream. */
const DROPPED_AT_ONCE = 2000;
/**
 * How far a stream may be over its limit, as a share of it and in entries, before any are dropped: one by one costs each write
 * twice as much. Readers go by the limit; this only concerns the space.
 */
const SLACK = 1 / 8;
const MOST_SLACK = 250;

/** What is to be logged. */
export interface Entry {
  readonly kind: "message" | "set" | "del" | "expired";
  /** The board's prefix. */
  readonly board: string;
  /** The channel of a message; `CHANGES` for all other kinds. */
  readonly channel: Uint8Array;
  /** The key; `null` for a message. */
  readonly name: Uint8Array | null;
  readonly data: Uint8Array | null;
  /** `null`: nobody, the entry is an expiry. */
  readonly author: string | null;
  readonly isUnsynced: boolean;
  /** Why a message is here, if a consumer could not handle it. */
  readonly failure?: Failure | null;
}

/** Entries that share everything but this, one after the other; no value of theirs is over the contract's limit. */
export interface Run extends Pick<Entry, "board" | "channel" | "author" | "isUnsynced"> {
  readonly kind: "message" | "set" | "del" | "expired";
  readonly rows: readonly RunRow[];
}

/** A stream that got an entry. */
export interface Stream {
  readonly id: number;
  readonly kept: number;
  /** The first of those kept; older than it, if it is the only one. */
  readonly oldest: number;
}

/** An entry's number, or that of the first of a run, whose others follow; and the stream. */
export interface Appended {
  readonly n: number;
  readonly stream: Stream;
}

/** Written only when the newest entry of all goes, so that most writes need not touch its page. */
const LAST = "SELECT max(last, coalesce((SELECT max(n) FROM log), 0)) AS last FROM counter";
const REMEMBER = "UPDATE counter SET last = max(last, ?1) WHERE ?1 > coalesce((SELECT max(n) FROM log), 0)";
/** `oldest` apart: naming it rewrites its index, even if it stays as it is. */
const EXTEND = `UPDATE streams SET kept = kept + ?3, last = ?4
  WHERE board = ?1 AND channel = ?2 RETURNING id, kept, oldest`;
const FIRST = "UPDATE streams SET oldest = ? WHERE id = ?";
const BEGIN_STREAM = `INSERT INTO streams (board, channel, kept, last, oldest, dropped)
  VALUES (?1, ?2, ?3, ?4, ?5, 0) RETURNING id, kept, oldest`;
/** An empty array may reach SQLite as NULL, depending on the driver: hence the flag beside it. */
const APPEND = `INSERT INTO log (n, stream, kind, unsynced, author, size, name, failure, data)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?10, CASE WHEN ?9 THEN coalesce(?8, x'') END)`;
const COLUMNS = "n, stream, unsynced, author, kind, name, size, data";
const RUN = {
  message: new RunSql(`INSERT INTO log (${COLUMNS}) VALUES`, "", 5, 1, (index, own) => {
    return `(?1 + ${index}, ?2, ?3, ?4, 'message', NULL, coalesce(length(?${own}), 0), coalesce(?${own}, x''))`;
  }),
  set: new RunSql(`INSERT INTO log (${COLUMNS}) VALUES`, "", 5, 2, (index, own) => {
    const data = own + 1;
    return `(?1 + ${index}, ?2, ?3, ?4, 'set', ?${own}, coalesce(length(?${data}), 0), coalesce(?${data}, x''))`;
  }),
  del: goneSql("del"),
  expired: goneSql("expired"),
};
const OLDEST = `SELECT count(*) AS count, max(n) AS n FROM
  (SELECT n FROM log WHERE stream = ? AND unsynced = 0 AND n <= ? ORDER BY n LIMIT ?)`;
const DROP = "DELETE FROM log WHERE stream = ? AND unsynced = 0 AND n <= ?";
const SHRINK = `UPDATE streams SET kept = kept - ?2, dropped = ?3,
  oldest = coalesce((SELECT min(n) FROM log WHERE stream = ?1 AND unsynced = 0), last) WHERE id = ?1`;
const FORCED = "UPDATE counter SET forced = max(forced, ?)";
const OF_AGE = "SELECT id, kept, last FROM streams WHERE board = ? AND oldest < ? ORDER BY oldest LIMIT 1";
/** Not while a consumer or a follower is still to be told what it lost. */
const FORGET = `DELETE FROM streams WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM log WHERE stream = ?1)
  AND NOT EXISTS (SELECT 1 FROM pending WHERE stream = ?1)
  AND NOT EXISTS (SELECT 1 FROM positions WHERE stream = ?1 AND delivered < streams.last)
  AND NOT EXISTS (SELECT 1 FROM followers WHERE position < streams.dropped)`;
const FORGET_POSITIONS = "DELETE FROM positions WHERE stream = ?";
const IGNORE = "UPDATE streams SET oldest = NULL WHERE id = ?";

function goneSql(kind: "del" | "expired"): RunSql {
  return new RunSql(`INSERT INTO log (${COLUMNS}) VALUES`, "", 5, 1, (index, own) => {
    return `(?1 + ${index}, ?2, ?3, ?4, '${kind}', ?${own}, 0, NULL)`;
  });
}

/** The last number drawn in this file; every later entry has a greater one. */
export function lastNumber(db: Database): number {
  return numberIn(db.one(LAST), "last");
}

/** Draws a number that is no entry's; those of later entries are greater all the same. */
export function drawNumber(db: Database, now: number): number {
  const n = nextNumber(db, now);
  db.run(REMEMBER, n);
  return n;
}

function nextNumber(db: Database, now: number): number {
  return Math.max(lastNumber(db) + 1, msToNumber(now));
}

export function append(db: Database, entry: Entry, now: number): Appended {
  const n = nextNumber(db, now);
  const stream = extend(db, entry, n, n);
  addRow(db, n, stream.id, entry);
  return { n, stream };
}

/** The same for many that are alike. */
export function appendRun(db: Database, run: Run, now: number): Appended {
  const { kind, rows, author, isUnsynced } = run;
  const n = nextNumber(db, now);
  const stream = extend(db, run, n, n + rows.length - 1);
  const shared = (start: number) => [n + start, stream.id, isUnsynced ? 1 : 0, author];
  const bind = (parameters: Cell[], { name, data }: RunRow) => {
    if (kind !== "message") parameters.push(name);
    if (kind === "set" || kind === "message") parameters.push(data);
  };
  RUN[kind].forEach(rows, shared, bind, (sql, parameters) => db.run(sql, ...parameters));
  return { n, stream };
}

/** The stream, with room for the entries from one number to another. */
function extend(
  db: Database,
  { board, channel, isUnsynced }: Pick<Entry, "board" | "channel" | "isUnsynced">,
  first: number,
  last: number,
): Stream {
  const counted = isUnsynced ? 0 : last - first + 1;
  const place = [board, channel, counted, last] as const;
  const stream = streamIn(db.get(EXTEND, ...place) ?? db.one(BEGIN_STREAM, ...place, first));
  if (stream.kept === counted) db.run(FIRST, first, stream.id);
  return stream;
}

/** @param row its `id`, `kept` and `oldest` */
export function streamIn(row: Row): Stream {
  return {
    id: numberIn(row, "id"),
    kept: numberIn(row, "kept"),
    oldest: orNull(row, "oldest", numberIn) ?? 0,
  };
}

/** Payloads are always kept, values only up to the contract's limit. */
function addRow(db: Database, n: number, stream: number, entry: Entry): void {
  const { kind, data } = entry;
  const size = data?.length ?? 0;
  const isKept = data !== null && (kind === "message" || size <= MAX_LOGGED_VALUE_BYTES);
  const unsynced = entry.isUnsynced ? 1 : 0;
  const bytes = isKept ? data : null;
  const failure = entry.failure ? writeFailure(entry.failure) : null;
  db.run(APPEND, n, stream, kind, unsynced, entry.author, size, entry.name, bytes, isKept ? 1 : 0, failure);
}

/** How many entries over its limit a stream may be before it is worth dropping any. */
export function slackOf(limit: number): number {
  return Math.min(limit * SLACK, MOST_SLACK);
}

/**
 * Drops the oldest entries of a stream over its limit.
 * @param askReadByAll up to where every live follower has read, for what is newer waits for them; asked only if there is something to drop
 */
export function dropOverLimit(db: Database, stream: Stream, limit: number, askReadByAll: () => number): void {
  const excess = stream.kept - limit;
  if (excess <= slackOf(limit)) return;
  const isForced = excess > HELD_ENTRIES;
  const upTo = isForced ? Number.MAX_SAFE_INTEGER : askReadByAll();
  if (stream.oldest <= upTo) drop(db, stream.id, upTo, excess, isForced);
}

/**
 * Drops what is too old in one stream of the board. One a transaction: each write pays for a bounded piece, and idle
 * streams get their turn. A stream that is empty by then is forgotten.
 * @returns whether there was any
 */
export function dropOfAge(db: Database, board: string, oldestAllowed: number): boolean {
  const row = db.get(OF_AGE, board, oldestAllowed);
  if (row === undefined) return false;
  const id = numberIn(row, "id");
  if (numberIn(row, "kept") > 0) drop(db, id, oldestAllowed - 1, DROPPED_AT_ONCE, true);
  else forget(db, id, row);
  return true;
}

/** An empty stream goes; one with unsynced entries stays until they are brought over. */
function forget(db: Database, id: number, row: Row): void {
  if (numberIn(row, "kept") > 0) return;
  if (db.run(FORGET, id) === 0) db.run(IGNORE, id);
  else db.run(FORGET_POSITIONS, id);
}

export function drop(db: Database, stream: number, upTo: number, most: number, isForced: boolean): void {
  const row = db.one(OLDEST, stream, upTo, Math.min(most, DROPPED_AT_ONCE));
  const n = orNull(row, "n", numberIn);
  if (n === null) return;
  db.run(DROP, stream, n);
  db.run(SHRINK, stream, numberIn(row, "count"), n);
  db.run(REMEMBER, n);
  if (isForced) db.run(FORCED, n);
}
