/** The map of keys: reading and writing single ones. */
import type { DelOptions, SetOptions } from "../../core/backend.ts";
import type { Condition, Conditional, SetResult } from "../../core/conditional.ts";
import { BlackboardError } from "../../core/errors.ts";
import { msToNumber, numberToId } from "../../core/ids.ts";
import { encodeName } from "../../core/names.ts";
import type { Bytes, KeyFacts, Reading, TtlMs } from "../../core/types.ts";
import { type Board, checkSize } from "./board.ts";
import { bytesIn, numberIn, orNull, type Row, textIn } from "./cells.ts";
import { factsIn, msLeft, writerOf } from "./facts.ts";
import { rivalOf } from "./fences.ts";
import { isInt64, parseInteger } from "./integer.ts";
import { type KeyRow, type Put, putRows, removeRows } from "./rows.ts";

const LIVE = "name = ?1 AND (expires_at IS NULL OR expires_at > ?2)";
const VALUE = `SELECT value FROM entries WHERE ${LIVE}`;
const EXISTS = `SELECT 1 FROM entries WHERE ${LIVE}`;
const FACTS = `SELECT expires_at, author, last, length(value) AS size FROM entries WHERE ${LIVE}`;
const READING = `SELECT expires_at, author, last, length(value) AS size,
  CASE WHEN length(value) <= ?3 THEN value END AS value FROM entries WHERE ${LIVE}`;
/** Its length is known without reading it. */
const SAME_SIZE = "SELECT CASE WHEN length(value) = ?2 THEN value END AS value FROM entries WHERE name = ?1";
const EXPIRY = `SELECT expires_at FROM entries WHERE ${LIVE}`;
const SET_EXPIRY = `UPDATE entries SET expires_at = ?3 WHERE ${LIVE}`;
const HEAD = "SELECT expires_at, author, board, last FROM entries WHERE name = ?";
const REMOVE = "DELETE FROM entries WHERE name = ?";
export class Entries {
  readonly #board: Board;

  constructor(board: Board) {
    this.#board = board;
  }

  get(key: string): Buffer | null {
    const row = this.#look(VALUE, key);
    return row === undefined ? null : bytesIn(row, "value");
  }

  set(key: string, value: Bytes, options: SetOptions): SetResult {
    checkSize("value", value);
    const name = encodeName(key);
    return this.#board.change((now) => {
      const rival = options.fence === null ? null : rivalOf(this.#board, options.fence, now);
      if (rival !== null) return { written: false, because: "fence", ...rival };
      const present = this.#present(name, now);
      if (!this.#holds(options.condition, name, present)) {
        return { written: false, because: "condition", ...writerOf(present, now) };
      }
      const expiresAt = expiryOf(options.ttlMs, present, now);
      const n = this.#put({ name, data: value }, { expiresAt, agent: options.agent }, now);
      return { written: true, id: numberToId(n) };
    });
  }

  /**
   * Writes keys whatever is there, the same way all of them, and none with a value that is too large for the log. Part of a change of the board.
   * @returns the number of the first entry, which those of the others follow
   */
  putAll(rows: readonly KeyRow[], ttlMs: number | null, agent: string, now: number): number {
    if (!this.#board.isClear) for (const { name } of rows) this.#present(name, now); // logs what has expired
    const n = this.#board.logChanges("set", rows, agent, now);
    putRows(this.#board, rows, n, { expiresAt: expiryOf(ttlMs, undefined, now), agent });
    return n;
  }

  /** All of them in one transaction. */
  del(keys: readonly string[], { agent, unwrittenForMs = 0 }: DelOptions): number {
    return this.#board.change((now) => {
      const names = [...new Set(keys)].map(encodeName);
      const before = unwrittenForMs === 0 ? {} : { before: msToNumber(now - unwrittenForMs + 1) };
      const removed = removeRows(this.#board.db, names, { aliveAt: now, ...before });
      const rows = removed.map((name) => ({ name, data: null }));
      if (rows.length > 0) this.#board.logChanges("del", rows, agent, now);
      return rows.length;
    });
  }

  delIf(key: string, value: Bytes, agent: string): Conditional {
    const name = encodeName(key);
    return this.#changeIf(name, value, (now) => this.#remove(name, agent, now));
  }

  exists(keys: readonly string[]): number {
    return keys.filter((key) => this.#look(EXISTS, key) !== undefined).length;
  }

  describe(keys: readonly string[]): ReadonlyArray<KeyFacts | null> {
    return keys.map((key) => {
      const row = this.#look(FACTS, key);
      return row === undefined ? null : factsIn(row, key, Date.now());
    });
  }

  /** All of them as they are at one moment. */
  read(keys: readonly string[], mostBytes: number): ReadonlyArray<Reading | null> {
    const { db } = this.#board;
    return db.snapshot(() => {
      const now = Date.now();
      return keys.map((key) => {
        const row = db.get(READING, encodeName(key), now, mostBytes);
        return row === undefined ? null : { ...factsIn(row, key, now), value: orNull(row, "value", bytesIn) };
      });
    });
  }

  ttl(key: string): number | null | undefined {
    const row = this.#look(EXPIRY, key);
    return row === undefined ? undefined : msLeft(orNull(row, "expires_at", numberIn), Date.now());
  }

  /** Not a change of the key: nothing is logged, and who wrote it stays who wrote it. */
  setExpiry(key: string, ttlMs: number | null): boolean {
    return this.#board.change((now) => this.#expireAfter(encodeName(key), ttlMs, now));
  }

  setExpiryIf(key: string, value: Bytes, ttlMs: number | null): Conditional {
    const name = encodeName(key);
    return this.#changeIf(name, value, (now) => this.#expireAfter(name, ttlMs, now));
  }

  incr(key: string, by: bigint, agent: string): bigint {
    const name = encodeName(key);
    return this.#board.change((now) => {
      const present = this.#present(name, now);
      const sum = (present === undefined ? 0n : this.#integer(name)) + by;
      if (!isInt64(by) || !isInt64(sum)) throw new BlackboardError("conflict", "the sum is over 64 bits");
      const expiresAt = expiryOf("keep", present, now);
      this.#put({ name, data: Buffer.from(sum.toString()) }, { expiresAt, agent }, now);
      return sum;
    });
  }

  #changeIf(name: Buffer, value: Bytes, change: (now: number) => void): Conditional {
    return this.#board.change((now) => {
      const present = this.#present(name, now);
      if (!this.#holds({ if: "value", value }, name, present)) {
        return { done: false, isAbsent: present === undefined, ...writerOf(present, now) };
      }
      change(now);
      return { done: true };
    });
  }

  #expireAfter(name: Buffer, ttlMs: number | null, now: number): boolean {
    const expiresAt = ttlMs === null ? null : now + Math.ceil(ttlMs);
    return this.#board.db.run(SET_EXPIRY, name, now, expiresAt) > 0;
  }

  #look(sql: string, key: string): Row | undefined {
    return this.#board.db.read(() => this.#board.db.get(sql, encodeName(key), Date.now()));
  }

  /** The key as it is now, without its value; one whose time has come is cleared away first. */
  #present(name: Buffer, now: number): Row | undefined {
    const row = this.#board.db.get(HEAD, name);
    const expiresAt = row === undefined ? null : orNull(row, "expires_at", numberIn);
    if (row === undefined || expiresAt === null || expiresAt > now) return row;
    this.#board.expire([name], textIn(row, "board"), now);
    return undefined;
  }

  #holds(condition: Condition | null, name: Buffer, present: Row | undefined): boolean {
    if (condition === null) return true;
    if (condition.if === "absent") return present === undefined;
    if (present === undefined) return false;
    return condition.if === "present" || this.#hasValue(name, condition.value);
  }

  #remove(name: Buffer, agent: string, now: number): void {
    this.#board.db.run(REMOVE, name);
    this.#board.logChange({ kind: "del", name, value: null, agent }, now);
  }

  #put(row: KeyRow, put: Put, now: number): number {
    const { name, data: value } = row;
    const n = this.#board.logChange({ kind: "set", name, value, agent: put.agent }, now);
    putRows(this.#board, [row], n, put);
    return n;
  }

  #integer(name: Buffer): bigint {
    const integer = parseInteger(this.#value(name));
    if (integer !== null) return integer;
    throw new BlackboardError("conflict", "the value is not a 64-bit integer", {
      hint: "incr works on decimal integers without blanks or leading zeros",
    });
  }

  #hasValue(name: Buffer, value: Bytes): boolean {
    const row = this.#board.db.one(SAME_SIZE, name, value.length);
    return orNull(row, "value", bytesIn)?.equals(value) ?? false;
  }

  /** The value of a key that is known to be there. */
  #value(name: Buffer): Buffer {
    return bytesIn(this.#board.db.one("SELECT value FROM entries WHERE name = ?", name), "value");
  }
}

function expiryOf(ttlMs: TtlMs, present: Row | undefined, now: number): number | null {
  if (ttlMs === null) return null;
  if (ttlMs !== "keep") return now + Math.ceil(ttlMs);
  return present === undefined ? null : orNull(present, "expires_at", numberIn);
}
