/**
 * The followers of a board file, one row each, so that every process can count them. A row is its process's claim
 * to listen; it counts as long as that process runs, or where this cannot be told, as long as it gave a sign of
 * life within the lease.
 */
import type { Matcher } from "../../core/glob.ts";
import { writeSelection } from "../../core/selection.ts";
import type { AnySelection } from "../../core/types.ts";
import { numberIn, orNull, type Row, textIn } from "./cells.ts";
import type { Database } from "./database.ts";
import { isRunning, type Owner, thisProcess } from "./liveness.ts";
import { compileSelection, readSelection } from "./selection.ts";

/** How often a follower gives a sign of life, and how long one is believed, in milliseconds. */
export const BEAT_MS = 10_000;
const LEASE_MS = 30_000;
/** Rows remembered; more than followers there can sensibly be. */
const REMEMBERED = 1000;

const ADD = `INSERT INTO followers (board, selection, pid, started, scene, beat, position, consumer, worker)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`;
const BEAT = "UPDATE followers SET beat = ?2, position = ?3 WHERE id = ?1";
const REMOVE = "DELETE FROM followers WHERE id = ?";
const REMOVE_WORKERS = "DELETE FROM followers WHERE consumer = ?";
/** A follower hears all boards of the file, by whole names; a consumer is of one board. */
const ALL = "SELECT * FROM followers WHERE consumer IS NULL OR board = ?";
/** Only what changes: each publish reads all of them. */
const STATES = "SELECT id, beat, position FROM followers WHERE consumer IS NULL OR board = ?";
const ONE = "SELECT * FROM followers WHERE id = ?";

/** A follower whose process runs. */
export interface LiveFollower {
  readonly board: string;
  readonly ear: Ear;
  /** `null`: it is no consumer's. */
  readonly worker: WorkerRow | null;
}

/** A worker of a consumer: the consumer's row, and the worker's name. */
export interface WorkerRow {
  readonly consumer: number;
  readonly worker: string;
}

/** A row's selection, made ready. */
export interface Ear {
  /** Whether it gets entries of this channel's stream, of the board that asks. */
  readonly hears: Matcher;
  /** The channels it names exactly; none, if it watches keys. */
  readonly channels: readonly string[];
}

/** What of a row never changes. */
interface Identity extends LiveFollower {
  readonly owner: Owner;
}

/** Who gets a message, or a change, now. */
export interface Audience {
  readonly receivers: number;
  /** The number of the newest log entry all of them have read for sure. */
  readonly readByAll: number;
}

export class Registry {
  readonly #db: Database;
  readonly #board: string;
  /** By row; its id never comes back. */
  readonly #known = new Map<number, Identity>();

  constructor(db: Database, board: string) {
    this.#db = db;
    this.#board = board;
  }

  /** Adds a row; needs a write transaction around it. */
  insert(selection: AnySelection, position: number, worker?: WorkerRow): number {
    const { pid, started, scene } = thisProcess();
    const text = writeSelection(selection);
    const place = [this.#board, text, pid, started, scene, Date.now(), position] as const;
    return numberIn(this.#db.one(ADD, ...place, worker?.consumer ?? null, worker?.worker ?? null), "id");
  }

  /** A sign of life; false if another process took this one for dead and removed the row. */
  beat(id: number, position: number): boolean {
    return this.#db.run(BEAT, id, Date.now(), position) > 0;
  }

  remove(id: number): void {
    this.#db.run(REMOVE, id);
  }

  removeWorkers(consumer: number): void {
    this.#db.run(REMOVE_WORKERS, consumer);
  }

  /** Who an entry of this channel's stream reaches. Removes the rows of the dead: needs a write transaction around it. */
  audience(channel: Uint8Array): Audience {
    let receivers = 0;
    let readByAll = Number.MAX_SAFE_INTEGER;
    for (const row of this.#db.all(STATES, this.#board)) {
      const { ear, owner } = this.#identityOf(row);
      if (!ear.hears(channel)) continue;
      if (isLive(owner, row)) {
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
    const rows = this.#db
      .all(ALL, this.#board)
      .map((row) => ({ row, identity: identityIn(row, this.#board) }));
    return rows.filter(({ row, identity }) => isLive(identity.owner, row)).map(({ identity }) => identity);
  }

  #identityOf(row: Row): Identity {
    const id = numberIn(row, "id");
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    const identity = identityIn(this.#db.one(ONE, id), this.#board);
    this.#known.set(id, identity);
    return identity;
  }
}

function identityIn(row: Row, asking: string): Identity {
  const selection = readSelection(textIn(row, "selection"));
  const { hasStream } = compileSelection(selection);
  return {
    board: textIn(row, "board"),
    ear: {
      hears: (channel) => hasStream(channel, asking),
      channels: "keys" in selection ? [] : selection.channels,
    },
    worker: workerIn(row),
    owner: { pid: numberIn(row, "pid"), started: textIn(row, "started"), scene: textIn(row, "scene") },
  };
}

function workerIn(row: Row): WorkerRow | null {
  const consumer = orNull(row, "consumer", numberIn);
  return consumer === null ? null : { consumer, worker: textIn(row, "worker") };
}

function isLive(owner: Owner, row: Row): boolean {
  return isRunning(owner) ?? numberIn(row, "beat") >= Date.now() - LEASE_MS;
}
