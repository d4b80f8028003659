/** Values of SQLite's rows as the types the code expects; a row that breaks them is a damaged file, never a guess. */
import { BlackboardError } from "../../core/errors.ts";

/** What SQLite stores, and what may be bound to a statement. */
export type Cell = null | number | bigint | string | Uint8Array;

/** A row as the drivers give it. */
export type Row = Readonly<Record<string, Cell>>;

export function numberIn(row: Row, column: string): number {
  const cell = row[column];
  return typeof cell === "number" ? cell : damaged(column);
}

export function textIn(row: Row, column: string): string {
  const cell = row[column];
  return typeof cell === "string" ? cell : damaged(column);
}

/** The bytes as a Buffer over the same memory, which the driver does not use again. */
export function bytesIn(row: Row, column: string): Buffer {
  const cell = row[column];
  if (!(cell instanceof Uint8Array)) return damaged(column);
  return Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength);
}

/** `null` for SQL's NULL, else what `read` finds. */
export function orNull<T>(row: Row, column: string, read: (row: Row, column: string) => T): T | null {
  return row[column] === null ? null : read(row, column);
}

export function damaged(column: string): never {
  throw new BlackboardError(
    "unavailable",
    `the board file is damaged: column "${column}" holds a wrong type`,
    {
      hint: "move the file away; a new one is made",
    },
  );
}
