/** The rows of keys: writing and deleting many that are alike. */
import type { Bytes } from "../../core/types.ts";
import type { Board } from "./board.ts";
import { bytesIn, type Cell } from "./cells.ts";
import type { Database } from "./database.ts";
import { type RunRow, RunSql } from "./runs.ts";
import { keyOf } from "./selection.ts";

const REMOVE = new RunSql(
  "DELETE FROM entries WHERE name IN (",
  ") AND (expires_at IS NULL OR expires_at > ?1) AND last < ?2 RETURNING name",
  3,
  1,
  (_, own) => `?${own}`,
);
/** An empty array may reach SQLite as NULL, depending on the driver. */
const PUT = new RunSql(
  "INSERT INTO entries (name, expires_at, author, board, first, last, value) VALUES",
  `ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at, author = excluded.author,
    board = excluded.board, last = excluded.last, value = excluded.value`,
  5,
  2,
  (index, own) => `(?${own}, ?1, ?2, ?3, ?4 + ${index}, ?4 + ${index}, coalesce(?${own + 1}, x''))`,
);

/** A key and the value it gets. */
export interface KeyRow extends RunRow {
  readonly name: Buffer;
  readonly data: Bytes;
}

/** How keys are written. */
export interface Put {
  readonly expiresAt: number | null;
  readonly agent: string;
}

/** @param n the number of the first one's log entry, which those of the others follow */
export function putRows({ db, prefix }: Board, rows: readonly KeyRow[], n: number, put: Put): void {
  const shared = (start: number) => [put.expiresAt, put.agent, prefix, n + start];
  const bind = (parameters: Cell[], { name, data }: KeyRow) => parameters.push(name, data);
  PUT.forEach(rows, shared, bind, (sql, parameters) => db.run(sql, ...parameters));
}

/** Of which keys only are deleted: those that live at a moment, and that were last written before a number. */
interface Removable {
  readonly aliveAt?: number;
  readonly before?: number;
}

/** @returns which were there and are deleted, in the order given */
export function removeRows(
  db: Database,
  names: readonly Buffer[],
  { aliveAt = -1, before = Number.MAX_SAFE_INTEGER }: Removable,
): readonly Buffer[] {
  const removed = new Set<string>();
  const shared = () => [aliveAt, before];
  const bind = (parameters: Cell[], name: Buffer) => parameters.push(name);
  REMOVE.forEach(names, shared, bind, (sql, parameters) => {
    for (const row of db.all(sql, ...parameters)) removed.add(keyOf(bytesIn(row, "name")));
  });
  return removed.size === names.length ? names : names.filter((name) => removed.has(keyOf(name)));
}
