/** Board files made by an older timmy-bb: they are brought up to date when they are opened. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hold } from "./memory-lock-world.ts";
import {
  all,
  bundleStore,
  bytes,
  channels,
  cleanUp,
  newPath,
  open,
  query,
  removeBundle,
  since,
  succeed,
  texts,
  together,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

const TABLES_OF_VERSION_1 = `
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
PRAGMA application_id = 0x74626231;
PRAGMA user_version = 1;
`;

/** What version 2 added; version 3 added nothing. */
const TABLES_OF_VERSION_2 = `
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

/** A moment ago, as a number of the log. */
const THEN = (Date.now() - 60_000) * 1024;

/** A file as version 0.1 made it: one key, and one channel with messages. */
function makeVersion1(messages: number): string {
  const path = newPath();
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode = WAL; ${TABLES_OF_VERSION_1}`);
  db.prepare("INSERT INTO entries VALUES (?, NULL, 'old', 't', ?, ?, ?)").run(
    bytes("t:k"),
    THEN,
    THEN,
    bytes("value"),
  );
  db.prepare("INSERT INTO streams VALUES (1, 't', ?, ?, ?, ?, 0)").run(
    bytes("t:c"),
    messages,
    THEN,
    THEN + messages - 1,
  );
  const insert = db.prepare("INSERT INTO log VALUES (?, 1, 'message', 0, 'old', 1, NULL, ?)");
  for (let i = 0; i < messages; i++) insert.run(THEN + i, bytes(String(i)));
  db.close();
  return path;
}

const versionOf = (path: string) => query(path, "PRAGMA user_version")[0]?.user_version;
const tablesOf = (path: string) => query(path, "SELECT name, sql FROM sqlite_schema ORDER BY name");

describe("a board file of version 1", () => {
  test("keeps all it holds, and has all a new one has", async () => {
    const path = makeVersion1(10);
    const backend = await open(path);
    expect(versionOf(path)).toBe(4);
    expect(await backend.get("t:k")).toEqual(bytes("value"));
    const replay = await all(backend.follow(channels("t:c"), since({ last: 100 })));
    expect(texts(replay)).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
    expect(replay[0]).toMatchObject({ by: "old", failure: null });
    await backend.publish("t:c", bytes("new"), "me");
    expect((await backend.channels("t:c"))[0]?.messages).toBe(11);
    const fresh = newPath();
    await open(fresh);
    expect(tablesOf(path)).toEqual(tablesOf(fresh));
  });

  test("is brought up to date once, by whichever of many processes is first", async () => {
    const paths = Array.from({ length: 10 }, () => makeVersion1(50));
    const code = `
      for (const path of ${JSON.stringify(paths)}) {
        const board = await openMemory({ ...options, path });
        await board.publish("t:c", bytes("new"), "child");
        say(String(await board.get("t:k")));
        await board.close();
      }`;
    const children = await together(6, newPath(), code);
    await succeed(children);
    for (const path of paths) {
      expect(versionOf(path)).toBe(4);
      expect(query(path, "SELECT count(*) AS count FROM log")).toEqual([{ count: 56 }]);
      expect(query(path, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
    }
  });

  test("stays as it was if that fails halfway", async () => {
    const path = makeVersion1(3);
    query(path, "CREATE TABLE pending (in_the_way)");
    const before = tablesOf(path);
    await expect(open(path)).rejects.toMatchObject({ kind: "internal" });
    expect(versionOf(path)).toBe(1);
    expect(tablesOf(path)).toEqual(before);
  });

  test("can still be used by an older process that has it open", async () => {
    const path = makeVersion1(3);
    const older = new DatabaseSync(path);
    const append = older.prepare(`INSERT INTO log (n, stream, kind, unsynced, author, size, name, data)
      VALUES (?, 1, 'message', 0, 'old', 1, NULL, x'00')`);
    append.run(THEN + 10);
    const backend = await open(path);
    append.run(THEN + 11);
    older.close();
    expect(await all(backend.follow(channels("t:c"), since({ after: THEN + 2 })))).toHaveLength(2);
  });
});

test.each([2, 3])(
  "a board file of version %i keeps all it holds, and has all a new one has",
  async (version) => {
    const path = makeVersion1(3);
    const older = new DatabaseSync(path);
    older.exec(`${TABLES_OF_VERSION_2} PRAGMA user_version = ${version}`);
    older.exec("INSERT INTO consumers VALUES (1, 't', 'w', 0, '{\"channels\":[\"t:c\"],\"patterns\":[]}')");
    older.close();
    const backend = await open(path);
    expect(versionOf(path)).toBe(4);
    expect((await backend.consumers()).map(({ consumer }) => consumer)).toEqual(["w"]);
    const fresh = newPath();
    await open(fresh);
    expect(tablesOf(path)).toEqual(tablesOf(fresh));
    const { fence } = await hold(backend, "a");
    expect(fence).toBeGreaterThan(THEN);
    expect(await backend.take({ keys: [], patterns: ["t:*"] }, "me")).toMatchObject({
      key: "t:k",
      by: "old",
    });
  },
);
