/** A message as the log holds it. */
import { readFailure } from "../../core/failure.ts";
import { numberToId, numberToMs } from "../../core/ids.ts";
import { decodeName } from "../../core/names.ts";
import type { Failure, Message } from "../../core/types.ts";
import { bytesIn, damaged, orNull, type Row, textIn } from "./cells.ts";

/** @param row its `author`, `data` and `failure` */
export function toMessage(n: number, channel: Buffer, row: Row): Message {
  return {
    channel: decodeName(channel),
    payload: bytesIn(row, "data"),
    id: numberToId(n),
    by: orNull(row, "author", textIn),
    at: numberToMs(n),
    failure: orNull(row, "failure", failureIn),
  };
}

function failureIn(row: Row, column: string): Failure {
  return readFailure(textIn(row, column)) ?? damaged(column);
}
