/** Messages and changes as the log holds them. */
import { readFailure } from "../../core/failure.ts";
import { numberToId, numberToMs } from "../../core/ids.ts";
import { decodeName } from "../../core/names.ts";
import type { Change, ChangeEvent, Entry, Failure, Message } from "../../core/types.ts";
import { bytesIn, damaged, numberIn, orNull, type Row, textIn } from "./cells.ts";
import { isOfKeys } from "./log.ts";

/** What is read of an entry's row. `data` is NULL in a change whose value is not logged. */
export const COLUMNS = "kind, author, size, name, failure, data";

/** @param channel of its stream */
export function toEntry(n: number, channel: Buffer, row: Row): Entry {
  return isOfKeys(channel) ? toChange(n, row) : toMessage(n, channel, row);
}

function toMessage(n: number, channel: Buffer, row: Row): Message {
  return {
    channel: decodeName(channel),
    payload: bytesIn(row, "data"),
    id: numberToId(n),
    by: orNull(row, "author", textIn),
    at: numberToMs(n),
    failure: orNull(row, "failure", failureIn),
  };
}

function toChange(n: number, row: Row): Change {
  const event = eventIn(row, "kind");
  return {
    event,
    key: decodeName(bytesIn(row, "name")),
    value: orNull(row, "data", bytesIn),
    size: event === "set" ? numberIn(row, "size") : null,
    id: numberToId(n),
    by: orNull(row, "author", textIn),
    at: numberToMs(n),
    isInitial: false,
  };
}

function eventIn(row: Row, column: string): ChangeEvent {
  const kind = textIn(row, column);
  return kind === "set" || kind === "del" || kind === "expired" ? kind : damaged(column);
}

function failureIn(row: Row, column: string): Failure {
  return readFailure(textIn(row, column)) ?? damaged(column);
}
