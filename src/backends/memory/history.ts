/**
 * Where a follower begins in the log, and what of it a late reader is not shown: retention leaves more rows than it
 * promises (some for live followers, some for speed, some in idle streams), and who comes later sees the promise.
 */
import { msToNumber } from "../../core/ids.ts";
import type { Start } from "../../core/types.ts";
import type { Board } from "./board.ts";
import { bytesIn, numberIn, orNull, type Row } from "./cells.ts";
import type { Database } from "./database.ts";
import { lastNumber } from "./log.ts";
import type { Loss } from "./losses.ts";
import type { Streams } from "./streams.ts";

const STREAMS = "SELECT id, board, channel, kept, oldest, last, dropped FROM streams WHERE last > ?";
const NTH_NEWEST = "SELECT n FROM log WHERE stream = ? AND unsynced = 0 ORDER BY n DESC LIMIT 1 OFFSET ?";
const NEWEST_BELOW = "SELECT max(n) AS n FROM log WHERE stream = ? AND unsynced = 0 AND n < ?";
const NEWEST = `SELECT n, name FROM log WHERE stream = ? AND (unsynced = 1 OR n > ?) AND n > ? AND n < ?
  ORDER BY n DESC LIMIT ?`;
/** The most rows that are looked through at once. */
const PAGE_ROWS = 1000;
/** Numbers collected before the greatest of them are picked. */
const COLLECTED = 10_000;

/** The part of the log that is to be read, as it is when reading begins. */
export interface Beginning {
  /** The number of the last entry that is not wanted. */
  readonly position: number;
  /** What is not to be had of the selected streams behind the position. */
  readonly lost: readonly Loss[];
  /** Whether it was asked for, and its loss is to be told. */
  readonly isAsked: boolean;
}

/** A selected stream, and its newest entry. */
interface Candidate extends Loss {
  readonly last: number;
}

/** Needs a transaction around it, so that all is of one moment. `null`: with what comes next. */
export function beginningOf(board: Board, streams: Streams, from: Start | null): Beginning {
  const end = lastNumber(board.db);
  if (from === null) return { position: end, lost: [], isAsked: false };
  const now = Date.now();
  const asked = Math.min(Math.max(0, positionOf(from, now)), end);
  const candidates = candidatesOf(board, streams, asked, board.oldestAllowed(now));
  const isAsked = !("last" in from);
  const position = isAsked ? asked : beforeNewest(board.db, streams, candidates, from.last);
  return { position, lost: candidates.filter(({ upTo }) => upTo > position), isAsked };
}

function positionOf(from: Start, now: number): number {
  if ("last" in from) return 0;
  if ("after" in from) return from.after;
  return msToNumber("sinceMs" in from ? from.sinceMs : now - from.agoMs) - 1;
}

function candidatesOf(board: Board, streams: Streams, position: number, oldestAllowed: number): Candidate[] {
  return board.db.all(STREAMS, position).flatMap((row) => {
    if (!streams.has(row)) return [];
    const upTo = newestLost(board, row, oldestAllowed);
    const channel = bytesIn(row, "channel");
    return [{ stream: numberIn(row, "id"), channel, upTo, last: numberIn(row, "last") }];
  });
}

/** The newest entry of the stream that was dropped or is not shown; unsynced ones always are. */
function newestLost(board: Board, row: Row, oldestAllowed: number): number {
  const { db } = board;
  const dropped = numberIn(row, "dropped");
  const kept = numberIn(row, "kept");
  if (kept === 0) return dropped;
  const stream = numberIn(row, "id");
  const floor = Math.max(oldestAllowed, firstOf(db, stream, kept, board.limitOf(bytesIn(row, "channel"))));
  if ((orNull(row, "oldest", numberIn) ?? 0) >= floor) return dropped;
  return Math.max(dropped, orNull(db.one(NEWEST_BELOW, stream, floor), "n", numberIn) ?? 0);
}

/** The first of the newest `limit` entries. */
function firstOf(db: Database, stream: number, kept: number, limit: number): number {
  if (kept <= limit) return 0;
  if (limit === 0) return Number.MAX_SAFE_INTEGER;
  return numberIn(db.one(NTH_NEWEST, stream, limit - 1), "n");
}

/** The position before the newest `count` selected entries of all the streams together. */
function beforeNewest(
  db: Database,
  streams: Streams,
  candidates: readonly Candidate[],
  count: number,
): number {
  if (count === Number.POSITIVE_INFINITY) return 0;
  if (count === 0) return lastNumber(db);
  let newest: number[] = [];
  const pick = () => {
    newest = newest.sort((left, right) => right - left).slice(0, count);
    return newest.length < count ? 0 : (newest.at(-1) ?? 0);
  };
  let least = 0;
  for (const candidate of candidates.toSorted((left, right) => right.last - left.last)) {
    if (candidate.last <= least) break; // nor has any that follows
    newest.push(...newestOf(db, streams, candidate, least, count));
    if (newest.length > COLLECTED + 2 * count) least = pick();
  }
  pick();
  return (newest.at(-1) ?? lastNumber(db) + 1) - 1;
}

/** The newest selected entries of a stream. Of keys there may be few among many: they are looked for in growing pages. */
function newestOf(
  db: Database,
  streams: Streams,
  { stream, upTo }: Candidate,
  least: number,
  count: number,
): number[] {
  const found: number[] = [];
  let below = Number.MAX_SAFE_INTEGER;
  for (let size = count; found.length < count; size = Math.max(count, PAGE_ROWS)) {
    const rows = db.all(NEWEST, stream, upTo, least, below, size);
    for (const row of rows) if (streams.hasEntry(row)) found.push(numberIn(row, "n"));
    if (rows.length < size) break;
    below = numberIn(rows.at(-1) as Row, "n");
  }
  return found.slice(0, count);
}
