/** A key's value with what is known of it, as `get` and `wait` have it. */
import { BlackboardError } from "../core/errors.ts";
import type { Reading } from "../core/types.ts";
import type { Row } from "./command.ts";
import { jsonBytes, jsonName } from "./json.ts";
import { oneLine } from "./terminal.ts";

/** Of a value that is not from the board, nothing is known. */
const UNKNOWN: Pick<Reading, "id" | "by" | "at" | "ttlMs"> = { id: null, by: null, at: null, ttlMs: null };

/** @throws BlackboardError `conflict` if it is not a plain string */
export function plainValue({ key, value }: Reading): Buffer {
  if (value !== null) return value;
  throw new BlackboardError("conflict", `${oneLine(key)} holds another type than a plain string`);
}

export function readingJson(key: string, value: Uint8Array, facts = UNKNOWN): Row["json"] {
  const { id, by, at, ttlMs } = facts;
  return Object.assign(jsonName("key", key, jsonBytes("value", value)), { id, by, at, ttl_ms: ttlMs });
}
