/**
 * The followers of a board file, one row each, so that every process can count them. A row is its process's claim
 * to listen; it counts as long as that process runs, or where this cannot be told, as long as it gave a sign of
 * life within the lease.
 */
import type { Matcher } from "../../core/glob.ts";
import type { Selection } from "../../core/types.ts";
import { numberIn, type Row, textIn } from "./cells.ts";
import type { Database } from "./database.ts";
import { isRunning, thisProcess } from "./liveness.ts";
import { lastNumber } from "./log.ts";
import { compileSelection, readSelection, writeSelection } from "./selection.ts";

/** How often a follower gives a sign of life, and how long one is believed, in milliseconds. */
export const BEAT_MS = 10_000;
const LEASE_MS = 30_000;
/** Compiled selections remembered; more than followers there can sensibly be. */
const REMEMBERED = 1000;

const ADD = `INSERT INTO followers (board, selection, pid, started, scene, beat, position)
  VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`;
const BEAT = "UPDATE followers SET beat = ?2, position = ?3 WHERE id = ?1";
const REMOVE = "DELETE FROM followers WHERE id = ?";
const ALL = "SELECT * FROM followers";

/** A follower whose process runs. */
export interface LiveFollower {
  readonly board: string;
  readonly ear: Ear;
}

/** A row's selection, made ready. */
export interface Ear {
  readonly selects: Matcher;
  /** The channels it names exactly. */
  readonly channels: readonly string[];
}

/** Who gets a message now. */
export interface Audience {
  readonly receivers: number;
  /** The number of the newest log entry all of them have read for sure. */
  readonly readByAll: number;
}

export class Registry {
  readonly #db: Database;
  readonly #board: string;
  /** By row; a row's selection never changes and its id never comes back. */
  readonly #ears = new Map<number, Ear>();

  constructor(db: Database, board: string) {
    this.#db = db;
    this.#board = board;
  }

  /** Adds a row, and tells from where the follower reads: everything logged later is for it. */
  add(selection: Selection): { id: number; position: number } {
    return this.#db.write(() => {
      const position = lastNumber(this.#db);
      return { id: this.insert(selection, position), position };
    });
  }

  /** A row alone; needs a write transaction around it. */
  insert(selection: Selection, position: number): number {
    const { pid, started, scene } = thisProcess();
    const text = writeSelection(selection);
    const row = this.#db.one(ADD, this.#board, text, pid, started, scene, Date.now(), position);
    return numberIn(row, "id");
  }

  /** A sign of life; false if another process took this one for dead and removed the row. */
  beat(id: number, position: number): boolean {
    return this.#db.run(BEAT, id, Date.now(), position) > 0;
  }

  remove(id: number): void {
    this.#db.run(REMOVE, id);
  }

  /** Who a message on this channel reaches. Removes the rows of the dead: needs a write transaction around it. */
  audience(channel: Uint8Array): Audience {
    let receivers = 0;
    let readByAll = Number.MAX_SAFE_INTEGER;
    for (const row of this.#db.all(ALL)) {
      if (!this.#earOf(row).selects(channel)) continue;
      if (isLive(row)) {
        receivers++;
        readByAll = Math.min(readByAll, numberIn(row, "position"));
      } else {
        this.remove(numberIn(row, "id"));
      }
    }
    return { receivers, readByAll };
  }

  /** Every live follower of the file. */
  live(): readonly LiveFollower[] {
    const rows = this.#db.all(ALL).filter(isLive);
    return rows.map((row) => ({ board: textIn(row, "board"), ear: this.#earOf(row) }));
  }

  #earOf(row: Row): Ear {
    const id = numberIn(row, "id");
    const known = this.#ears.get(id);
    if (known !== undefined) return known;
    if (this.#ears.size >= REMEMBERED) this.#ears.clear();
    const selection = readSelection(textIn(row, "selection"));
    const ear = { selects: compileSelection(selection), channels: selection.channels };
    this.#ears.set(id, ear);
    return ear;
  }
}

function isLive(row: Row): boolean {
  const owner = { pid: numberIn(row, "pid"), started: textIn(row, "started"), scene: textIn(row, "scene") };
  return isRunning(owner) ?? numberIn(row, "beat") >= Date.now() - LEASE_MS;
}
