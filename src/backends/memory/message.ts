/** A message as the log holds it. */
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
  const failure: unknown = JSON.parse(textIn(row, column));
  return isFailure(failure) ? failure : damaged(column);
}

function isFailure(value: unknown): value is Failure {
  if (typeof value !== "object" || value === null) return false;
  const { channel, id, by, consumer, attempts, reason } = value as { [Field in keyof Failure]?: unknown };
  return (
    [channel, id, by, consumer, reason].every((text) => typeof text === "string") &&
    typeof attempts === "number"
  );
}
