/** JSON both ways; written with sorted keys, so that the same object is the same bytes whoever wrote it. */
import { BlackboardError, usageError } from "./errors.ts";

/**
 * The JSON text of a value, object keys sorted at every depth.
 * @throws BlackboardError `usage` for what JSON cannot hold: `undefined`, functions, big integers, numbers that are
 * not finite, cycles, and objects that would become `{}` (Map, Set, promises, blobs)
 */
export function stableJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value, plainSorted);
  } catch (error) {
    if (error instanceof BlackboardError) throw error;
    // The engine's own message quotes property names; ours quotes nothing of the value.
    throw usageError("the value cannot be stored as JSON (a cycle or a bigint)");
  }
  if (text === undefined) throw usageError("the value cannot be stored as JSON (undefined or a function)");
  return text;
}

/** @throws BlackboardError `conflict` for what is not JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The engine's message quotes the value, so it must not travel on as a cause.
    throw new BlackboardError("conflict", "the value is not JSON");
  }
}

/** What `toJSON` made of an object (a date's text) comes here as that, so it passes. */
function plainSorted(_key: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) throw noJson("a number that is not finite");
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const kind = Object.prototype.toString.call(value);
  if (kind !== "[object Object]") throw noJson(kind.slice(8, -1));
  return Object.fromEntries(
    Object.entries(value).sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)),
  );
}

function noJson(what: string): BlackboardError {
  return usageError(`the value cannot be stored as JSON (${what})`);
}
