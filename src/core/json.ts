/** JSON both ways; written with sorted keys, so that the same object is the same bytes whoever wrote it. */
import { BlackboardError, usageError } from "./errors.ts";

/**
 * The JSON text of a value, object keys sorted at every depth.
 * @throws BlackboardError `usage` for what JSON cannot hold: `undefined`, functions, big integers, cycles
 */
export function stableJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value, sortKeys);
  } catch {
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

function sortKeys(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)),
  );
}
