/** One connection to a board file: its statements, its transactions, its end. */
import { statSync } from "node:fs";
import { BlackboardError } from "../../core/errors.ts";
import type { Cell, Row } from "./cells.ts";
import type { Connection, Statement } from "./driver.ts";
import { fromSqlite } from "./faults.ts";
import { checkSameFile, type Identity } from "./place.ts";

/** How to open a board file. */
export interface DatabaseOptions {
  readonly path: string;
  readonly timeoutMs: number;
  readonly durability: "normal" | "full";
}

/** How long a lock is waited for that is known to last, in milliseconds. */
const BRIEF_MS = 20;
/**
 * The size of a WAL from which on whoever has written and leaves empties it, in bytes. Who comes when nobody else is there reads all of it
 * (0.4 ms a MiB), and SQLite itself would only ever begin it anew for who stays; emptying it (twice fsync) at each end would cost more.
 */
const LEFT_WAL = 512 * 1024;

export class Database {
  readonly path: string;
  readonly durability: "normal" | "full";
  /** How long other processes' locks are waited for. */
  readonly timeoutMs: number;
  readonly #connection: Connection;
  readonly #identity: Identity;
  readonly #statements = new Map<string, Statement>();
  #isOpen = true;
  #hasWritten = false;
  #putOff: (() => void) | null = null;

  constructor(connection: Connection, identity: Identity, options: DatabaseOptions) {
    this.path = options.path;
    this.durability = options.durability;
    this.#connection = connection;
    this.#identity = identity;
    this.timeoutMs = options.timeoutMs;
  }

  /**
   * Runs something (that throws nothing) as soon as the promises that are settled have had their say, so that what is done in
   * one go can be written in one go; sooner, if something else is to be done with the file: the order stays.
   */
  putOff(work: () => void): void {
    this.#putOff = work;
    process.nextTick(() => this.#catchUp()); // behind the microtasks, unlike `queueMicrotask`
  }

  /** Runs something that reads. Several statements see several moments. */
  read<T>(work: () => T): T {
    this.#catchUp();
    this.#checkOpen();
    try {
      this.checkPlace();
      return work();
    } catch (error) {
      throw fromSqlite(error, this.path, this.timeoutMs);
    }
  }

  /**
   * Runs something that writes, wholly or not at all, alone among all processes. `IMMEDIATE`: a transaction that
   * began as a reader fails at once when it turns writer after someone else wrote.
   */
  write<T>(work: () => T): T {
    this.#hasWritten = true;
    return this.#transaction("BEGIN IMMEDIATE", work);
  }

  /** The same, and a loss of power cannot undo it, nor what was written before. Not part of another transaction, which could not change this. */
  durably<T>(work: () => T): T {
    if (this.durability === "full") return this.write(work);
    return this.read(() => {
      this.#connection.exec("PRAGMA synchronous = FULL");
      try {
        return this.write(work);
      } finally {
        this.#connection.exec("PRAGMA synchronous = NORMAL");
      }
    });
  }

  /** Runs something that reads, all of it at one moment. */
  snapshot<T>(work: () => T): T {
    return this.#transaction("BEGIN", work);
  }

  /** Runs something that hardly waits for other processes' locks. What was put off is done before, and waits as ever. */
  hardlyWaiting<T>(work: () => T): T {
    this.#catchUp();
    this.#checkOpen();
    this.#connection.exec(`PRAGMA busy_timeout = ${BRIEF_MS}`);
    try {
      return work();
    } finally {
      this.#connection.exec(`PRAGMA busy_timeout = ${this.timeoutMs}`);
    }
  }

  #transaction<T>(begin: string, work: () => T): T {
    return this.read(() => {
      this.#statement(begin).run();
      try {
        const result = work();
        this.#statement("COMMIT").run();
        return result;
      } catch (error) {
        // After some errors, such as a full disk, SQLite has rolled back by itself.
        if (this.#connection.isTransaction) this.#connection.exec("ROLLBACK");
        throw error;
      }
    });
  }

  /** The first row. */
  get(sql: string, ...parameters: Cell[]): Row | undefined {
    return this.#statement(sql).get(...parameters) as Row | undefined;
  }

  /** The only row of a query that always has one. */
  one(sql: string, ...parameters: Cell[]): Row {
    const row = this.get(sql, ...parameters);
    if (row === undefined) throw new BlackboardError("unavailable", `the board file ${this.path} is damaged`);
    return row;
  }

  all(sql: string, ...parameters: Cell[]): Row[] {
    return this.#statement(sql).all(...parameters) as Row[];
  }

  /** The number of rows changed. */
  run(sql: string, ...parameters: Cell[]): number {
    return Number(this.#statement(sql).run(...parameters).changes);
  }

  /** @throws BlackboardError `unavailable` if the path no longer leads to the open file */
  checkPlace(): void {
    checkSameFile(this.path, this.#identity);
  }

  /**
   * What was put off is done before. Safe to call twice. Forgetting the statements lets the driver end them, and with them the open file. The
   * connection ends a moment later: a program that ends now need not wait for what SQLite does when the last one leaves (twice
   * fsync), because leaving without it is what the file survives anyway.
   */
  close(): void {
    if (!this.#isOpen) return;
    this.#catchUp();
    this.#isOpen = false;
    if (this.#hasWritten) this.#shortenWal();
    this.#statements.clear();
    setImmediate(() => this.#connection.close());
  }

  #shortenWal(): void {
    const { size } = statSync(`${this.path}-wal`, { throwIfNoEntry: false }) ?? { size: 0 };
    if (size <= LEFT_WAL) return;
    try {
      this.#connection.exec("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // All that was answered is safe in the WAL, and whoever leaves next tries again.
    }
  }

  /** Prepared at first use: a command needs few of them, and preparing all is start-up time. */
  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #catchUp(): void {
    const work = this.#putOff;
    this.#putOff = null;
    work?.();
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new BlackboardError("internal", "the store was used after it was closed");
  }
}
