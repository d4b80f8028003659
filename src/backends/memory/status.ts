/** What `status` shows of a board file. */
import { statSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { encodeName } from "../../core/names.ts";
import type { StoreStatus } from "../../core/types.ts";
import type { Board } from "./board.ts";
import { numberIn, textIn } from "./cells.ts";
import type { Channels } from "./channels.ts";
import { countKeys } from "./listing.ts";
import { countLocks } from "./locks.ts";
import { lastNumber } from "./log.ts";

const UNSYNCED = `SELECT count(*) AS count FROM log JOIN streams ON streams.id = log.stream
  WHERE log.unsynced = 1 AND streams.board = ?`;

/** The counts are of this board, the facts of the file. */
export function statusOf(board: Board, channels: Channels): StoreStatus {
  const { db, prefix, registry } = board;
  const latencyMs = measureRead(board);
  return db.read(() => {
    const retained = channels.retained();
    return {
      store: "memory",
      place: db.path,
      latencyMs,
      keys: countKeys(db, encodeName(prefix === "" ? "" : `${prefix}:`)),
      messages: retained.reduce((sum, { messages }) => sum + messages, 0),
      channels: retained.length,
      followers: registry.live().filter((follower) => follower.board === prefix).length,
      locks: countLocks(board),
      unsynced: numberIn(db.one(UNSYNCED, prefix), "count"),
      facts: factsOf(board),
    };
  });
}

function measureRead({ db }: Board): number {
  const start = performance.now();
  db.read(() => lastNumber(db));
  return performance.now() - start;
}

function factsOf({ db }: Board): Record<string, string | number> {
  return {
    sqlite: textIn(db.one("SELECT sqlite_version() AS version"), "version"),
    durability: db.durability,
    file_bytes: sizeOf(db.path),
    wal_bytes: sizeOf(`${db.path}-wal`),
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
