/** The map of keys: reading and writing single ones. */
import type { DelOptions, SetOptions } from "../../core/backend.ts";
import type { Condition, Conditional, Rival, SetResult } from "../../core/conditional.ts";
import { BlackboardError } from "../../core/errors.ts";
import { numberToId, numberToMs } from "../../core/ids.ts";
import { encodeName } from "../../core/names.ts";
import type { Bytes, KeyFacts, Reading, TtlMs } from "../../core/types.ts";
import { type Board, checkSize } from "./board.ts";
import { bytesIn, numberIn, orNull, type Row, textIn } from "./cells.ts";
import { rivalOf } from "./fences.ts";
import { isInt64, parseInteger } from "./integer.ts";

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
/** An empty array may reach SQLite as NULL, depending on the driver. */
const PUT = `INSERT INTO entries (name, expires_at, author, board, first, last, value)
  VALUES (?1, ?2, ?3, ?4, ?5, ?5, coalesce(?6, x''))
  ON CONFLICT (name) DO UPDATE SET expires_at = ?2, author = ?3, board = ?4, last = ?5, value = coalesce(?6, x'')`;

/** What is written to a key. */
interface Put {
  readonly name: Buffer;
  readonly value: Bytes;
  readonly expiresAt: number | null;
  readonly agent: string;
}

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
      const n = this.#put({ name, value, expiresAt, agent: options.agent }, now);
      return { written: true, id: numberToId(n) };
    });
  }

  /** All of them in one transaction. */
  del(keys: readonly string[], options: DelOptions): number {
    return this.#board.change((now) => {
      let deleted = 0;
      for (const key of new Set(keys)) if (this.#delete(encodeName(key), options, now)) deleted++;
      return deleted;
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
      this.#put({ name, value: Buffer.from(sum.toString()), expiresAt, agent }, now);
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
    this.#board.expire(name, textIn(row, "board"), now);
    return undefined;
  }

  #holds(condition: Condition | null, name: Buffer, present: Row | undefined): boolean {
    if (condition === null) return true;
    if (condition.if === "absent") return present === undefined;
    if (present === undefined) return false;
    return condition.if === "present" || this.#hasValue(name, condition.value);
  }

  #delete(name: Buffer, options: DelOptions, now: number): boolean {
    const present = this.#present(name, now);
    if (present === undefined) return false;
    const { agent, unwrittenForMs = 0 } = options;
    if (ageOf(present, now) < unwrittenForMs) return false;
    this.#remove(name, agent, now);
    return true;
  }

  #remove(name: Buffer, agent: string, now: number): void {
    this.#board.db.run(REMOVE, name);
    this.#board.logChange({ kind: "del", name, value: null, agent }, now);
  }

  #put({ name, value, expiresAt, agent }: Put, now: number): number {
    const n = this.#board.logChange({ kind: "set", name, value, agent }, now);
    this.#board.db.run(PUT, name, expiresAt, agent, this.#board.prefix, n, value);
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

/** @param row its `expires_at`, `author`, `last` and `size` */
export function factsIn(row: Row, key: string, now: number): KeyFacts {
  const ttlMs = msLeft(orNull(row, "expires_at", numberIn), now);
  const id = numberToId(numberIn(row, "last"));
  return { key, id, ttlMs, size: numberIn(row, "size"), ...writerOf(row, now) };
}

function writerOf(row: Row | undefined, now: number): Rival {
  if (row === undefined) return { by: null, at: null, ageMs: null };
  return { by: textIn(row, "author"), at: numberToMs(numberIn(row, "last")), ageMs: ageOf(row, now) };
}

/** Since the last write, in milliseconds; 0 if the clock was put back since. */
function ageOf(row: Row, now: number): number {
  return Math.max(0, now - numberToMs(numberIn(row, "last")));
}

function expiryOf(ttlMs: TtlMs, present: Row | undefined, now: number): number | null {
  if (ttlMs === null) return null;
  if (ttlMs !== "keep") return now + Math.ceil(ttlMs);
  return present === undefined ? null : orNull(present, "expires_at", numberIn);
}

/** At least 1: a key that is there has time left. */
function msLeft(expiresAt: number | null, now: number): number | null {
  return expiresAt === null ? null : Math.max(1, Math.ceil(expiresAt - now));
}
