/** The consumers of a board: joining their workers, what is known of them, forgetting them. */
import { randomBytes } from "node:crypto";
import { usageError } from "../../core/errors.ts";
import { numberToId } from "../../core/ids.ts";
import { writeSelection } from "../../core/selection.ts";
import type { AnySelection, ConsumerChannel, ConsumerFacts, WorkerFacts } from "../../core/types.ts";
import { checkKept, type WorkerOptions } from "../../core/worker.ts";
import { admit } from "./admission.ts";
import type { Board } from "./board.ts";
import { bytesIn, numberIn, orNull, type Row, textIn } from "./cells.ts";
import type { Channels } from "./channels.ts";
import { Desk } from "./desk.ts";
import type { Expiries } from "./expiries.ts";
import { CHANGES, lastNumber, nameOf } from "./log.ts";
import { doneUpTo } from "./position.ts";
import type { WorkerRow } from "./registry.ts";
import { compileSelection, readSelection } from "./selection.ts";
import { Waker } from "./waker.ts";
import { MemoryWorker } from "./worker.ts";

const JOIN = `INSERT INTO consumers (board, name, start, selection) VALUES (?, ?, ?, ?)
  ON CONFLICT (board, name) DO UPDATE SET selection = excluded.selection RETURNING id, start`;
const ALL = "SELECT id, name, start, selection FROM consumers WHERE board = ?";
const DELETE = "DELETE FROM consumers WHERE board = ? AND name = ? RETURNING id";
const DELETE_POSITIONS = "DELETE FROM positions WHERE consumer = ?";
const DELETE_PENDING = "DELETE FROM pending WHERE consumer = ?";
/** Streams that are empty and were kept because a consumer was to be told what it lost: retention looks at them again. */
const LET_GO = "UPDATE streams SET oldest = last WHERE board = ? AND oldest IS NULL AND kept = 0";
/**
 * What is not too old counts even over the limit of retention: what is there is handed out. Of changes all count, those of keys that are not
 * selected, too: to tell them apart, each would have to be looked at.
 */
const CHANNELS = `SELECT channel, delivered,
  (SELECT count(*) FROM pending WHERE consumer = ?1 AND stream = id) AS pending,
  (SELECT count(*) FROM log WHERE stream = id AND n > coalesce(delivered, ?2) AND (n >= ?3 OR unsynced = 1)) AS lag
  FROM streams LEFT JOIN positions ON consumer = ?1 AND stream = id WHERE board = ?4 AND (channel = ?5) = ?6`;
const HOLDERS =
  "SELECT worker, count(*) AS pending FROM pending WHERE consumer = ? AND worker <> '' GROUP BY worker";

export class Consumers {
  readonly #board: Board;
  readonly #channels: Channels;
  readonly #expiries: Expiries;
  readonly #workers = new Set<MemoryWorker>();
  #isClosed = false;

  constructor(board: Board, channels: Channels, expiries: Expiries) {
    this.#board = board;
    this.#channels = channels;
    this.#expiries = expiries;
  }

  /** The watch comes before the row: from then on no message can go unnoticed. */
  async work(name: string, selection: AnySelection, options: WorkerOptions): Promise<MemoryWorker> {
    checkKept(selection, this.#board.settings.history);
    if ("keys" in selection) await this.#expiries.clear(() => this.#isClosed);
    if (this.#isClosed) throw usageError("the board is closed");
    let worker: MemoryWorker;
    const fail = (error: unknown) => worker.fail(error);
    const companion = "keys" in selection ? this.#expiries.watch(fail) : null;
    const waker = new Waker(this.#board.db.path, { companion });
    try {
      const joined = this.#board.db.write(() => this.#join(name, selection, options));
      const { onState } = options;
      const around = { board: this.#board, channels: this.#channels, waker, onState };
      const onEnd = () => this.#workers.delete(worker);
      worker = new MemoryWorker({ ...around, ...joined, onEnd });
      this.#workers.add(worker);
      return worker;
    } catch (error) {
      waker.stop();
      throw error;
    }
  }

  list(): readonly ConsumerFacts[] {
    const { db, prefix } = this.#board;
    return db.read(() => {
      const alive = this.#board.registry.live().flatMap(({ worker }) => worker ?? []);
      return db.all(ALL, prefix).map((row) => ({
        consumer: textIn(row, "name"),
        channels: this.#channelsOf(row),
        workers: this.#workersOf(numberIn(row, "id"), alive),
      }));
    });
  }

  /** The deletion wakes its workers, who find out. */
  delete(name: string): boolean {
    const { db, prefix } = this.#board;
    return db.write(() => {
      const row = db.get(DELETE, prefix, name);
      if (row === undefined) return false;
      const id = numberIn(row, "id");
      db.run(DELETE_POSITIONS, id);
      db.run(DELETE_PENDING, id);
      db.run(LET_GO, prefix);
      this.#board.registry.removeWorkers(id);
      return true;
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#workers].map((worker) => worker.close()));
  }

  #join(name: string, selection: AnySelection, { begin, agent, ackTimeoutMs }: WorkerOptions) {
    const { db, prefix } = this.#board;
    admit(this.#board, name, selection);
    const begun = begin === "now" ? lastNumber(db) : 0;
    const row = db.one(JOIN, prefix, name, begun, writeSelection(selection));
    const consumer = numberIn(row, "id");
    const worker = `${agent}#${randomBytes(4).toString("hex")}`;
    const kept = { consumer, name, start: numberIn(row, "start") };
    const member = { ...kept, worker, agent, ackTimeoutMs, selection, choice: compileSelection(selection) };
    const position = doneUpTo(this.#board, member);
    const desk = new Desk(db, this.#board.registry, member, position);
    return { desk, position, isAlone: !desk.hasCompany() };
  }

  /** Those it has read from, and those of its selection that have something for it. */
  #channelsOf(consumer: Row): readonly ConsumerChannel[] {
    const { db, prefix } = this.#board;
    const start = numberIn(consumer, "start");
    const oldestAllowed = this.#board.oldestAllowed(Date.now());
    const choice = compileSelection(readSelection(textIn(consumer, "selection")));
    return db
      .all(CHANNELS, numberIn(consumer, "id"), start, oldestAllowed, prefix, CHANGES, choice.isOfKeys ? 1 : 0)
      .filter(
        (row) =>
          row.delivered !== null ||
          (numberIn(row, "lag") > 0 && choice.hasStream(bytesIn(row, "channel"), prefix)),
      )
      .map((row) => ({
        channel: nameOf(bytesIn(row, "channel")),
        position: numberToId(orNull(row, "delivered", numberIn) ?? start),
        pending: numberIn(row, "pending"),
        lag: numberIn(row, "lag"),
      }));
  }

  /** The dead ones as long as they hold messages. */
  #workersOf(consumer: number, alive: readonly WorkerRow[]): readonly WorkerFacts[] {
    const rows = this.#board.db.all(HOLDERS, consumer);
    const pending = new Map(rows.map((row) => [textIn(row, "worker"), numberIn(row, "pending")]));
    const living = new Set(alive.filter((row) => row.consumer === consumer).map(({ worker }) => worker));
    return [...new Set([...living, ...pending.keys()])].map((worker) => ({
      worker,
      pending: pending.get(worker) ?? 0,
      isAlive: living.has(worker),
    }));
  }
}
