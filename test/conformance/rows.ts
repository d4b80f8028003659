/** Reading the JSON lines of the command, strictly: a field that is missing or of another type is an error. */
import { isUtf8 } from "node:buffer";
import { decodeName } from "../../src/core/names.ts";
import type { StoreStatus } from "../../src/core/types.ts";

export type Row = Readonly<Record<string, unknown>>;

/** One object a line, each line ended, nothing else. */
export function parseLines(bytes: Uint8Array): Row[] {
  const text = Buffer.from(bytes).toString("utf8");
  if (text === "") return [];
  if (!text.endsWith("\n")) throw new Error("the last line has no line break");
  return text.slice(0, -1).split("\n").map(parseLine);
}

function parseLine(line: string): Row {
  const value: unknown = JSON.parse(line);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Row;
  throw new Error(`not an object: ${line}`);
}

/** Text under the field's name, or base64 under `<field>_base64`; never both, and base64 only where text cannot be. */
export function bytesIn(row: Row, field: string): Buffer {
  const text = row[field];
  const base64 = row[`${field}_base64`];
  if (typeof text === "string" && base64 === undefined) return Buffer.from(text, "utf8");
  if (typeof base64 !== "string" || text !== undefined) throw new Error(`no ${field}`);
  const bytes = Buffer.from(base64, "base64");
  if (isUtf8(bytes)) throw new Error(`${field} is text, but comes in base64`);
  return bytes;
}

export function bytesOrNull(row: Row, field: string): Buffer | null {
  return row[field] === null && row[`${field}_base64`] === undefined ? null : bytesIn(row, field);
}

export function nameIn(row: Row, field: string): string {
  return decodeName(bytesIn(row, field));
}

/** An object inside of another. */
export function rowIn(row: Row, field: string): Row {
  const value = row[field];
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Row;
  throw new Error(`${field} is not an object`);
}

/** A list of objects inside of another. */
export function rowsIn(row: Row, field: string): Row[] {
  const values = row[field];
  if (!Array.isArray(values)) throw new Error(`${field} is not a list`);
  return values.map((_, at) => rowIn({ ...values }, String(at)));
}

export function textIn(row: Row, field: string): string {
  const value = row[field];
  if (typeof value === "string") return value;
  throw new Error(`${field} is not text`);
}

export function textOrNull(row: Row, field: string): string | null {
  return row[field] === null ? null : textIn(row, field);
}

export function numberIn(row: Row, field: string): number {
  const value = row[field];
  if (typeof value === "number") return value;
  throw new Error(`${field} is not a number`);
}

export function numberOrNull(row: Row, field: string): number | null {
  return row[field] === null ? null : numberIn(row, field);
}

export function storesIn(row: Row): StoreStatus[] {
  if (!Array.isArray(row.stores)) throw new Error("no stores");
  return row.stores.map(({ latency_ms, ...rest }) => ({ ...rest, latencyMs: latency_ms }));
}
