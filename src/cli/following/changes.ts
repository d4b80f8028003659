/** A change of a key as a record. */
import type { Change } from "../../core/types.ts";
import type { Cell, Row } from "../command.ts";
import { jsonBytes, jsonName } from "../json.ts";
import { oneCell, oneLineBytes } from "../terminal.ts";

export function changeRow(change: Change): Row {
  return { cells: [change.event, oneCell(change.key), ...valueCells(change)], json: changeJson(change) };
}

/** None for what sets nothing; an empty one for a value that is not to be had any more. */
export function valueCells({ event, value }: Change): Cell[] {
  return event === "set" ? [oneLineBytes(value ?? Buffer.alloc(0))] : [];
}

export function changeJson({ event, key, value, size, id, by, at, isInitial }: Change): Row["json"] {
  return {
    event,
    ...jsonName("key", key),
    ...(value === null ? { value } : jsonBytes("value", value)),
    size,
    id,
    by,
    at,
    ...(isInitial ? { initial: true } : {}),
  };
}
