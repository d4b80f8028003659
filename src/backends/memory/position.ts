/** How far a consumer is, over all the streams that one of its workers selects. */
import type { Board } from "./board.ts";
import { bytesIn, numberIn, type Row } from "./cells.ts";
import type { Member } from "./desk.ts";
import { CHANGES, lastNumber } from "./log.ts";
import type { Choice } from "./selection.ts";

/** By channel, the first entry that was not handed out. Each inner query is one step into an index. */
const NEW = `SELECT channel, min(
    coalesce((SELECT min(n) FROM log WHERE stream = id AND unsynced = 0 AND n > coalesce(delivered, ?2)), ?5),
    coalesce((SELECT min(n) FROM log WHERE stream = id AND unsynced = 1 AND n > coalesce(delivered, ?2)), ?5)) AS n
  FROM streams LEFT JOIN positions ON consumer = ?1 AND stream = id
  WHERE board = ?3 AND (channel = ?4) = ?6 AND last > coalesce(delivered, ?2)`;
const IN_HAND = `SELECT channel, min(n) AS n FROM pending JOIN streams ON id = stream
  WHERE consumer = ? GROUP BY stream`;

/** Everything selected up to here was handed to some worker. */
export function handedOutUpTo(board: Board, member: Member): number {
  const { consumer, start, choice } = member;
  const ofKeys = choice.isOfKeys ? 1 : 0;
  const last = lastNumber(board.db); // before the rows are read: what is logged meanwhile is behind it
  const rows = board.db.all(NEW, consumer, start, board.prefix, CHANGES, last + 1, ofKeys);
  return Math.min(last, lowest(board, rows, choice) - 1);
}

/** Everything selected up to here is done: retention need not wait for this consumer. */
export function doneUpTo(board: Board, member: Member): number {
  const inHand = lowest(board, board.db.all(IN_HAND, member.consumer), member.choice);
  return Math.min(handedOutUpTo(board, member), inHand - 1);
}

function lowest({ prefix }: Board, rows: readonly Row[], choice: Choice): number {
  const selected = rows.filter((row) => choice.hasStream(bytesIn(row, "channel"), prefix));
  return selected.reduce((least, row) => Math.min(least, numberIn(row, "n")), Number.MAX_SAFE_INTEGER);
}
