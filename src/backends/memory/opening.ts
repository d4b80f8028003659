/** Opening a board file. */
import { setTimeout as sleep } from "node:timers/promises";
import { BlackboardError } from "../../core/errors.ts";
import { type Row, textIn } from "./cells.ts";
import { Database, type DatabaseOptions } from "./database.ts";
import { type Connection, connect } from "./driver.ts";
import { fromSqlite, isBusy } from "./faults.ts";
import { preparePlace } from "./place.ts";
import { bringUpToDate, natureOf } from "./schema.ts";

/** What a WAL shrinks back to once all of it has reached the file, in bytes. */
const WAL_LIMIT = 4 * 1024 * 1024;
/** The most of the file a connection keeps in memory, in KiB, so that writing among many keys does not read pages again and again. */
const CACHE_KIB = 16_384;
/**
 * What SQLite keeps aside stays in memory. A statement of several rows keeps the pages it changes, so that it can be undone alone, and a file of them
 * would take three of five system calls where many keys are written. It is never much: no query here sorts large rows.
 */
const KEPT_ASIDE = "MEMORY";

/** Opens the file, and makes it and its tables where they are missing. @throws BlackboardError */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { path, timeoutMs } = options;
  const identity = preparePlace(path);
  try {
    const connection = await connect(path, timeoutMs);
    await prepare(connection, options).catch((error: unknown) => {
      connection.close();
      throw error;
    });
    return new Database(connection, identity, options);
  } catch (error) {
    throw fromSqlite(error, path, timeoutMs);
  }
}

/** The check comes first: another program's file must not even change its journal mode. */
async function prepare(connection: Connection, options: DatabaseOptions): Promise<void> {
  const { isUpToDate, isWal } = natureOf(connection, options.path);
  if (!isWal) await useWal(connection, options);
  connection.exec(`PRAGMA synchronous = ${options.durability}; PRAGMA journal_size_limit = ${WAL_LIMIT};
    PRAGMA cache_size = -${CACHE_KIB}; PRAGMA temp_store = ${KEPT_ASIDE}; PRAGMA trusted_schema = OFF`);
  if (!isUpToDate) bringUpToDate(connection, options.path);
}

/** SQLite's busy timeout does not cover the change to WAL: of 120 first opens at once, 4 failed without this loop. */
async function useWal(connection: Connection, options: DatabaseOptions): Promise<void> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    try {
      if (journalMode(connection, "PRAGMA journal_mode") === "wal") return;
      if (journalMode(connection, "PRAGMA journal_mode = WAL") === "wal") return;
      throw new BlackboardError(
        "config",
        `the file system of ${options.path} does not allow sharing a board`,
      );
    } catch (error) {
      if (!isBusy(error) || Date.now() >= deadline) throw error;
    }
    await sleep(2 + Math.random() * 10);
  }
}

function journalMode(connection: Connection, sql: string): string {
  return textIn(connection.prepare(sql).get() as Row, "journal_mode");
}
