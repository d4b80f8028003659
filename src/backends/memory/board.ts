/** One board in a file: its settings, and the frame every change of it is made in. */
import type { BoardSettings } from "../../core/backend.ts";
import { usageError } from "../../core/errors.ts";
import { msToNumber } from "../../core/ids.ts";
import type { Bytes } from "../../core/types.ts";
import { bytesIn, textIn } from "./cells.ts";
import type { Database } from "./database.ts";
import {
  type Appended,
  append,
  appendRun,
  CHANGES,
  dropOfAge,
  dropOverLimit,
  type Entry,
  isOfKeys,
  type Run,
  type Stream,
  slackOf,
} from "./log.ts";
import { Registry } from "./registry.ts";
import { removeRows } from "./rows.ts";
import type { RunRow } from "./runs.ts";
import { markUnsynced } from "./unsynced.ts";

/** 64 MiB: a value is held in memory a few times while it is written. */
export const MAX_VALUE_BYTES = 64 * 1024 * 1024;
/** The most expired keys one transaction clears away beside as many as it may write, so that it stays short and they do not pile up. */
const CLEARED_BESIDE = 100;

/** Looking for what is too old costs a lone write a twentieth of its time. */
const LOOK_AGAIN_MS = 10;

const EXPIRED = "SELECT name, board FROM entries WHERE expires_at <= ? ORDER BY expires_at LIMIT ?";

/** What `openMemory` is told of the board, beside its file. */
export interface Settings extends BoardSettings {
  readonly flagUnsynced: boolean;
}

/** A change of a key, for the log. */
export interface Change {
  readonly kind: "set" | "del";
  readonly name: Uint8Array;
  readonly value: Bytes | null;
  readonly agent: string;
}

export class Board {
  readonly db: Database;
  readonly prefix: string;
  readonly settings: Settings;
  /** Who follows: retention waits for them. */
  readonly registry: Registry;
  /** How many changes were kept when they could not be dropped because somebody had not read them. */
  #keptWhenAsked = Number.POSITIVE_INFINITY;
  #isClear = false;
  /** When there was last nothing too old. Milliseconds. */
  #nothingOfAgeAt = Number.NEGATIVE_INFINITY;

  constructor(db: Database, settings: Settings) {
    this.db = db;
    this.registry = new Registry(db, settings.prefix);
    this.prefix = settings.prefix;
    this.settings = settings;
  }

  /**
   * Changes the board in one transaction, which also clears away some of what is expired or too old: there is no
   * server to do it. `work` gets the moment of the change.
   * @param count how many operations it does
   */
  change<T>(work: (now: number) => T, count = 1): T {
    return this.db.write(() => {
      const now = Date.now();
      this.#clearExpired(now, CLEARED_BESIDE + count);
      const result = work(now);
      this.#dropOfAge(now);
      return result;
    });
  }

  /** Whether the change under way has cleared away every key whose time had come. */
  get isClear(): boolean {
    return this.#isClear;
  }

  /** Appends the log entry of a change, and returns its number. */
  logChange(change: Change, now: number): number {
    const { kind, name, value: data, agent: author } = change;
    const entry = { kind, name, data, author, board: this.prefix, channel: CHANGES };
    const { n, stream } = this.log(entry, now);
    this.#dropChanges(stream);
    return n;
  }

  /** The same for changes that are alike; the number of the first, which those of the others follow. */
  logChanges(kind: "set" | "del", rows: readonly RunRow[], author: string, now: number): number {
    const { n, stream } = this.logRun({ kind, rows, author, channel: CHANGES }, now);
    this.#dropChanges(stream);
    return n;
  }

  /** Appends entries made by an agent; flagged if this store stands in for redis. */
  logRun(run: Omit<Run, "board" | "isUnsynced">, now: number): Appended {
    return appendRun(this.db, { ...run, board: this.prefix, isUnsynced: this.#flag() }, now);
  }

  /** Appends an entry made by an agent; flagged if this store stands in for redis. */
  log(entry: Omit<Entry, "isUnsynced">, now: number): Appended {
    return append(this.db, { ...entry, isUnsynced: this.#flag() }, now);
  }

  #flag(): boolean {
    const isUnsynced = this.settings.flagUnsynced;
    if (isUnsynced) markUnsynced(this.db.path);
    return isUnsynced;
  }

  /** Deletes keys whose time has come, and says so once, in the log of the board that wrote them. */
  expire(names: readonly Buffer[], board: string, now: number): void {
    removeRows(this.db, names, {});
    const rows = names.map((name) => ({ name, data: null }));
    const run = { kind: "expired", rows, board, channel: CHANGES, author: null, isUnsynced: false } as const;
    const { stream } = appendRun(this.db, run, now);
    // How much another board's log keeps is not known here: each of its own next changes drops some hundreds of what is too much.
    if (this.prefix === board) this.#dropChanges(stream);
  }

  /** How many entries of a channel's stream retention keeps. */
  limitOf(channel: Uint8Array): number {
    const { changes, messagesPerChannel } = this.settings.history;
    return isOfKeys(channel) ? changes : messagesPerChannel;
  }

  /** Entries with lower numbers are too old to be kept or shown. */
  oldestAllowed(now: number): number {
    return msToNumber(Math.max(0, now - this.settings.history.maxAgeMs));
  }

  /**
   * Who watches is asked for only when there is something to drop, and, while somebody is behind, not at each write: with a
   * hundred watchers that takes longer than the write.
   */
  #dropChanges(stream: Stream): void {
    const limit = this.settings.history.changes;
    const sinceAsked = stream.kept - this.#keptWhenAsked;
    if (sinceAsked > 0 && sinceAsked <= slackOf(limit)) return;
    dropOverLimit(this.db, stream, limit, () => {
      const { readByAll } = this.registry.audience(CHANGES);
      this.#keptWhenAsked = stream.oldest > readByAll ? stream.kept : Number.POSITIVE_INFINITY;
      return readByAll;
    });
  }

  /** What is too old is shown to nobody anyhow, so where there was none it is soon enough to look a little later. */
  #dropOfAge(now: number): void {
    if (Math.abs(now - this.#nothingOfAgeAt) < LOOK_AGAIN_MS) return; // the clock may have been put back
    const isThere = dropOfAge(this.db, this.prefix, this.oldestAllowed(now));
    this.#nothingOfAgeAt = isThere ? Number.NEGATIVE_INFINITY : now;
  }

  #clearExpired(now: number, most: number): void {
    const rows = this.db.all(EXPIRED, now, most);
    const names = new Map<string, Buffer[]>();
    for (const row of rows) {
      const board = textIn(row, "board");
      const ofBoard = names.get(board) ?? [];
      names.set(board, ofBoard);
      ofBoard.push(bytesIn(row, "name"));
    }
    for (const [board, ofBoard] of names) this.expire(ofBoard, board, now);
    this.#isClear = rows.length < most;
  }
}

/** @param what the word for the message: `value`, `payload` */
export function checkSize(what: string, bytes: Bytes): void {
  if (bytes.length <= MAX_VALUE_BYTES) return;
  throw usageError(
    `the ${what} is ${bytes.length} bytes long; the memory store takes ${MAX_VALUE_BYTES} at most`,
  );
}
