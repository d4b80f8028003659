/**
 * The tables of a board file. Names are whole (`<prefix>:<name>`) and are bytes compared by memcmp, so that an empty
 * prefix sees everything. `board` is a prefix. `n` is the number of a log entry (`core/ids.ts`), drawn
 * from one counter a file; times are milliseconds since the epoch.
 */
import { BlackboardError } from "../../core/errors.ts";
import { numberIn, type Row, textIn } from "./cells.ts";
import { type Connection, checkSound } from "./driver.ts";

/** "tbb1": says in the file's header that it is a board. */
const APPLICATION_ID = 0x74626231;

/*
 * entries: `value` comes last, so that reading the rest of a row does not walk through the pages of a large value.
 *   `first` and `last` are the log entries that made the key and that wrote it last, `board` the log that got them.
 * streams: one a channel, and one (channel x'00', which no name holds) for the changes of keys. `kept` counts the entries that retention
 *   looks after, `oldest` is the first of them and `last` the newest ever; `dropped` is the newest that retention
 *   took away. A stream without any is looked at again when `oldest` comes of age, and then goes.
 * log: `name` is the key, NULL for a message; `data` is NULL where only the `size` is logged.
 *   Entries with `unsynced` = 1 were written while redis was away; retention leaves them alone and counts them not.
 *   `failure` is the JSON of a message's `Failure`, if it has one.
 * followers: `position` is the last entry read for sure, `beat` the last sign of life. The rows of a consumer's workers have its id and
 *   the worker's name; all others NULL.
 * counter: `last` number drawn, unless the log has a greater one; `forced` is the newest entry dropped although a live follower might want it.
 * consumers: `start` is the first number that a new consumer did not want any more, `selection` the last one used.
 * positions: `delivered` is the newest entry of the stream that was handed to a worker of the consumer, or was passed because its key is
 *   not selected; without a row, none newer than `start` was.
 * pending: what was handed out and is not done. `worker` is the holder's name, '' if it was given back; from `due` on others may take it over.
 * locks: `fence` is the number of the newest grant and `owner` who got it; after `forget_at` nothing of it is known any more.
 * holders: grants that stand, and those whose time is up (given back: `expires_at` = 0) until the lock is granted again: as long as the row is
 *   there, its fence stands. `since` is when it was granted.
 * line: who waits for a lock, in the order of their ids. The process is the one that waits. `told` is when its turn began, as far as it was
 *   noticed: a slot is free for it. NULL as long as none is.
 * AUTOINCREMENT where ids are remembered across transactions and must never come back as something else.
 */
const VERSION_1 = `
CREATE TABLE entries (
  name BLOB PRIMARY KEY NOT NULL,
  expires_at INTEGER,
  author TEXT NOT NULL,
  board TEXT NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  value BLOB NOT NULL
);
CREATE INDEX entries_by_expiry ON entries (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE streams (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  board TEXT NOT NULL,
  channel BLOB NOT NULL,
  kept INTEGER NOT NULL,
  oldest INTEGER,
  last INTEGER NOT NULL,
  dropped INTEGER NOT NULL,
  UNIQUE (board, channel)
);
CREATE INDEX streams_by_age ON streams (board, oldest);
CREATE TABLE log (
  n INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL,
  kind TEXT NOT NULL,
  unsynced INTEGER NOT NULL,
  author TEXT,
  size INTEGER NOT NULL,
  name BLOB,
  data BLOB
);
CREATE INDEX log_by_stream ON log (stream, unsynced, n);
CREATE INDEX log_unsynced ON log (n) WHERE unsynced = 1;
CREATE TABLE followers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  board TEXT NOT NULL,
  selection TEXT NOT NULL,
  pid INTEGER NOT NULL,
  started TEXT NOT NULL,
  scene TEXT NOT NULL,
  beat INTEGER NOT NULL,
  position INTEGER NOT NULL
);
CREATE TABLE counter (last INTEGER NOT NULL, forced INTEGER NOT NULL);
INSERT INTO counter VALUES (0, 0);
PRAGMA application_id = ${APPLICATION_ID};
`;
const VERSION_2 = `
ALTER TABLE log ADD COLUMN failure TEXT;
ALTER TABLE followers ADD COLUMN consumer INTEGER;
ALTER TABLE followers ADD COLUMN worker TEXT;
CREATE TABLE consumers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  board TEXT NOT NULL,
  name TEXT NOT NULL,
  start INTEGER NOT NULL,
  selection TEXT NOT NULL,
  UNIQUE (board, name)
);
CREATE TABLE positions (
  consumer INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  PRIMARY KEY (consumer, stream)
) WITHOUT ROWID;
CREATE TABLE pending (
  consumer INTEGER NOT NULL,
  n INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  worker TEXT NOT NULL,
  due INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  PRIMARY KEY (consumer, n)
) WITHOUT ROWID;
`;
/** The same tables, but what `followers` and `consumers` select may be keys, which no older timmy-bb can read. */
const VERSION_3 = "";
/** Locks, and an index for finding the oldest keys. Overwriting a key does not touch it: only new keys pay for it. */
const VERSION_4 = `
CREATE INDEX entries_by_first ON entries (first);
CREATE TABLE locks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  board TEXT NOT NULL,
  name TEXT NOT NULL,
  fence INTEGER NOT NULL,
  owner TEXT NOT NULL,
  forget_at INTEGER NOT NULL,
  UNIQUE (board, name)
);
CREATE INDEX locks_by_age ON locks (forget_at);
CREATE TABLE holders (
  lock INTEGER NOT NULL,
  token TEXT NOT NULL,
  fence INTEGER NOT NULL,
  ttl INTEGER NOT NULL,
  since INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  owner TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  PRIMARY KEY (lock, token)
) WITHOUT ROWID;
CREATE INDEX holders_by_expiry ON holders (expires_at);
CREATE TABLE line (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  lock INTEGER NOT NULL,
  token TEXT NOT NULL,
  slots INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  started TEXT NOT NULL,
  scene TEXT NOT NULL,
  told INTEGER,
  UNIQUE (lock, token)
);
`;
/** What leads from each version to the next, from an empty file on: a new file goes the way an old one has gone. */
const STEPS = [VERSION_1, VERSION_2, VERSION_3, VERSION_4];

/** One statement, so that all of it is of one moment, and a start reads the file once. */
const IDENTITY = `SELECT sqlite_version() AS sqlite,
  (SELECT journal_mode FROM pragma_journal_mode) AS journal,
  (SELECT application_id FROM pragma_application_id) AS application,
  (SELECT user_version FROM pragma_user_version) AS version,
  EXISTS (SELECT 1 FROM sqlite_schema) AS filled`;

/** What a file is. */
export interface Nature {
  /** Whether it has the tables as they are now; false for an empty one, and for an older timmy-bb's. */
  readonly isUpToDate: boolean;
  readonly isWal: boolean;
}

/**
 * Reads only: a file that is not ours is left as it is.
 * @throws BlackboardError `config` for another program's database, for a newer timmy-bb's board, and for an unsound SQLite
 */
export function natureOf(connection: Connection, path: string): Nature {
  const row = connection.prepare(IDENTITY).get() as Row;
  checkSound(textIn(row, "sqlite"));
  return { isUpToDate: versionIn(row, path) === STEPS.length, isWal: textIn(row, "journal") === "wal" };
}

/** Makes the tables, or makes more of an older file's, unless another process has done so meanwhile. */
export function bringUpToDate(connection: Connection, path: string): void {
  connection.exec("BEGIN IMMEDIATE");
  try {
    const version = versionIn(connection.prepare(IDENTITY).get() as Row, path);
    for (const step of STEPS.slice(version)) connection.exec(step);
    connection.exec(`PRAGMA user_version = ${STEPS.length}; COMMIT`);
  } catch (error) {
    if (connection.isTransaction) connection.exec("ROLLBACK");
    throw error;
  }
}

/** 0: an empty file. */
function versionIn(row: Row, path: string): number {
  const application = numberIn(row, "application");
  if (application === 0 && numberIn(row, "filled") === 0) return 0;
  if (application !== APPLICATION_ID) {
    throw new BlackboardError("config", `${path} is another program's SQLite database, not a board`, {
      hint: "set blackboard.memory.path or $TIMMY_BB_DATA_DIR to another place",
    });
  }
  const version = numberIn(row, "version");
  if (version <= STEPS.length) return version;
  throw new BlackboardError("config", `the board file ${path} was made by a newer timmy-bb`, {
    hint: "update timmy-bb, or set blackboard.memory.path to another place",
  });
}
