/**
 * Which SQLite: the only file that knows. The runtime's own where it is stable and of a sound version, else
 * `@photostructure/sqlite`, which has the same API. Versions before 3.51.3 can corrupt a file in WAL mode
 * (https://sqlite.org/wal.html, "the WAL-reset bug").
 */
import { pathToFileURL } from "node:url";
import { BlackboardError } from "../../core/errors.ts";
import { type Cell, type Row, textIn } from "./cells.ts";

/** The part of a prepared statement used here. */
export interface Statement {
  run(...parameters: Cell[]): { readonly changes: number | bigint };
  get(...parameters: Cell[]): unknown;
  all(...parameters: Cell[]): unknown[];
}

/** The part of a connection used here. */
export interface Connection {
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

interface Driver {
  DatabaseSync: new (location: string, options: { timeout: number }) => Connection;
}

const OLDEST_SOUND = "3.51.3";
const OLDEST_NODE = 24;
/** Not a literal in the import: the types of Node 20 do not know the module. */
const BUILT_IN: string = "node:sqlite";

/**
 * Opens the file, which must exist: `mode=rw` keeps SQLite from making one with the wrong access rights.
 * Nothing is read yet, so a file that is no database is found by the first statement.
 */
export async function connect(path: string, timeoutMs: number): Promise<Connection> {
  const { DatabaseSync } = await loadDriver();
  const connection = new DatabaseSync(`${pathToFileURL(path).href}?mode=rw`, { timeout: timeoutMs });
  const version = sqliteVersion(connection);
  if (!isAtLeast(version, OLDEST_SOUND)) {
    connection.close();
    throw new BlackboardError(
      "config",
      `SQLite ${version} can damage the board file; ${OLDEST_SOUND} is needed`,
    );
  }
  return connection;
}

/** The version of SQLite that runs, such as `3.53.0`. */
export function sqliteVersion(connection: Connection): string {
  return textIn(connection.prepare("SELECT sqlite_version() AS version").get() as Row, "version");
}

async function loadDriver(): Promise<Driver> {
  const { node, sqlite } = process.versions;
  const isSound = sqlite !== undefined && isAtLeast(sqlite, OLDEST_SOUND);
  if (isSound && Number.parseInt(node, 10) >= OLDEST_NODE) return (await import(BUILT_IN)) as Driver;
  try {
    return await import("@photostructure/sqlite");
  } catch (cause) {
    throw new BlackboardError("unavailable", "the SQLite driver cannot be loaded", {
      hint: "reinstall timmy-bb, or use Node 24 with its own SQLite",
      cause,
    });
  }
}

function isAtLeast(version: string, least: string): boolean {
  const [have, want] = [version, least].map((text) => text.split(".").map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (have?.[part] ?? 0) - (want?.[part] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
