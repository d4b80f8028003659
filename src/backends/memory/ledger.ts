/** The locks of a board as its file keeps them: who holds, who waits, who was granted a lock last. All of it runs inside a transaction. */
import { type Grant, LOCK_MEMORY_MS, type LockRequest, TURN_MS } from "../../core/lock.ts";
import type { Board } from "./board.ts";
import { numberIn, orNull, type Row, textIn } from "./cells.ts";
import { isOfOtherBoot, isRunning, thisProcess } from "./liveness.ts";
import { drawNumber } from "./log.ts";

/** The most locks that are forgotten at once. */
const FORGOTTEN_AT_ONCE = 10;

const ID = "SELECT id FROM locks WHERE board = ? AND name = ?";
const REMEMBER = `INSERT INTO locks (board, name, fence, owner, forget_at) VALUES (?1, ?2, ?3, ?4, ?5)
  ON CONFLICT (board, name) DO UPDATE SET fence = ?3, owner = ?4, forget_at = max(forget_at, ?5) RETURNING id`;
const REMEMBER_LONGER = "UPDATE locks SET forget_at = max(forget_at, ?2) WHERE id = ?1";
const FORGOTTEN = "SELECT id FROM locks WHERE forget_at <= ? LIMIT ?";
const FORGET = ["locks WHERE id", "holders WHERE lock", "line WHERE lock"].map(
  (rows) => `DELETE FROM ${rows} = ?`,
);
const HOLD = `INSERT INTO holders (lock, token, fence, ttl, since, expires_at, owner, host, pid)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const RENEW = `UPDATE holders SET ttl = coalesce(?4, ttl), expires_at = ?3 + coalesce(?4, ttl)
  WHERE lock = ?1 AND token = ?2 AND expires_at > ?3 RETURNING fence, ttl, expires_at`;
/** Its row stays until the lock is granted again, because so does its fence. */
const GIVE_BACK = "UPDATE holders SET expires_at = 0 WHERE lock = ? AND token = ? AND expires_at > ?";
const CLEAR = "DELETE FROM holders WHERE lock = ? AND expires_at <= ?";
/** One statement, because everybody in line asks this at each change of the file. */
const STATE = `SELECT id,
  (SELECT count(*) FROM holders WHERE lock = locks.id AND expires_at > ?3) AS held,
  (SELECT min(expires_at) FROM holders WHERE lock = locks.id AND expires_at > ?3) AS free_at,
  (SELECT id FROM line WHERE lock = locks.id AND token = ?4) AS place,
  EXISTS (SELECT 1 FROM holders WHERE lock = locks.id AND token = ?4 AND expires_at > ?3) AS is_mine
  FROM locks WHERE board = ?1 AND name = ?2`;
const IN_FRONT =
  "SELECT id, slots, pid, started, scene, told FROM line WHERE lock = ? AND id < ? ORDER BY id";
const HELD = "SELECT count(*) AS held FROM holders WHERE lock = ? AND expires_at > ?";
const STAND = `INSERT INTO line (lock, token, slots, pid, started, scene) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (lock, token) DO NOTHING`;
const LEAVE = "DELETE FROM line WHERE lock = ? AND token = ?";
const PASS = "DELETE FROM line WHERE id = ?";
const TELL = "UPDATE line SET told = ?2 WHERE id = ?1 AND (told IS NULL OR told > ?2)";
const UNTELL = "UPDATE line SET told = NULL WHERE lock = ? AND id > ? AND told IS NOT NULL";
const TELL_AGAIN = "UPDATE line SET told = ?2 WHERE lock = ?1 AND told IS NOT NULL";
/** In front of everybody, and behind. */
const FIRST = 0;
const LAST = Number.MAX_SAFE_INTEGER;

/** A grant, but for what only its asker knows. */
export type Granted = Omit<Grant, "askedAt">;

/** How somebody who waits, or only tries, stands with a lock. */
export interface Standing {
  /** Whether a slot is free that nobody in front is to have, or it holds one already. */
  readonly isNext: boolean;
  readonly isInLine: boolean;
  /** Whether it is the turn of somebody in front, and that is not noted yet: `claim` does. */
  readonly isUnnoted: boolean;
  /** When a holder's time is up, or the turn of somebody in front, in milliseconds since the epoch; `Infinity`: nothing is known to come. */
  readonly changesAt: number;
}

/** The same, and who in front does not count. */
interface Review extends Standing {
  readonly gone: readonly number[];
}

const FREE: Review = {
  isNext: true,
  isInLine: false,
  isUnnoted: false,
  changesAt: Number.POSITIVE_INFINITY,
  gone: [],
};

export class Ledger {
  readonly #board: Board;

  constructor(board: Board) {
    this.#board = board;
  }

  /** Only reads. */
  standing(name: string, request: LockRequest, now: number): Standing {
    return this.#review(name, request, now);
  }

  /** Grants a slot if it is the asker's turn, once more if it holds one already. */
  claim(name: string, request: LockRequest, now: number): Granted | null {
    const held = this.renew(name, request.token, request.ttlMs, now);
    if (held !== null) return held;
    const { isNext, isUnnoted, gone } = this.#review(name, request, now);
    for (const place of gone) this.#board.db.run(PASS, place);
    const granted = isNext ? this.#grant(name, request, now) : null;
    if (granted !== null || isUnnoted) this.#noteTurns(name, now);
    return granted;
  }

  /** Nobody could write for a while: whose turn it was then has it from now on. */
  beginTurnsAnew(name: string, now: number): void {
    this.#board.db.run(TELL_AGAIN, this.#find(name), now);
  }

  /** Joins the end of the line, unless it stands there already or nothing is known of the lock: then it is free. */
  stand(name: string, { token, slots }: LockRequest): void {
    const lock = this.#find(name);
    if (lock === null) return;
    const { pid, started, scene } = thisProcess();
    this.#board.db.run(STAND, lock, token, slots, pid, started, scene);
  }

  /** @param ttlMs `null`: what it had */
  renew(name: string, token: string, ttlMs: number | null, now: number): Granted | null {
    const lock = this.#find(name);
    const ttl = ttlMs === null ? null : Math.ceil(ttlMs);
    const row = lock === null ? undefined : this.#board.db.get(RENEW, lock, token, now, ttl);
    if (row === undefined) return null;
    const expiresAt = numberIn(row, "expires_at");
    this.#board.db.run(REMEMBER_LONGER, lock, expiresAt + LOCK_MEMORY_MS);
    return { fence: numberIn(row, "fence"), expiresAt, ttlMs: numberIn(row, "ttl") };
  }

  /** Leaves the line, and gives back what is held. @returns whether anything was */
  release(name: string, token: string, now: number): boolean {
    const lock = this.#find(name);
    if (lock === null) return false;
    this.#board.db.run(LEAVE, lock, token);
    const wasHeld = this.#board.db.run(GIVE_BACK, lock, token, now) > 0;
    this.#noteTurns(name, now);
    return wasHeld;
  }

  #find(name: string): number | null {
    const row = this.#board.db.get(ID, this.#board.prefix, name);
    return row === undefined ? null : numberIn(row, "id");
  }

  #grant(name: string, { token, ttlMs, owner, host, pid }: LockRequest, now: number): Granted {
    const { db, prefix } = this.#board;
    this.#forget(now);
    const ttl = Math.ceil(ttlMs);
    const fence = drawNumber(db, now);
    const expiresAt = now + ttl;
    const row = db.one(REMEMBER, prefix, name, fence, owner, expiresAt + LOCK_MEMORY_MS);
    const lock = numberIn(row, "id");
    db.run(CLEAR, lock, now);
    db.run(LEAVE, lock, token);
    db.run(HOLD, lock, token, fence, ttl, now, expiresAt, owner, host, pid);
    return { fence, expiresAt, ttlMs: ttl };
  }

  /** Also that it is not the turn of those any more whom somebody has forestalled that was passed over. */
  #noteTurns(name: string, now: number): void {
    const { db } = this.#board;
    const lock = this.#find(name);
    const line = db.all(IN_FRONT, lock, LAST);
    if (line.length === 0) return;
    const { ready } = walk(line, numberIn(db.one(HELD, lock, now), "held"), now);
    const places = ready.map((row) => numberIn(row, "id"));
    for (const place of places) db.run(TELL, place, now);
    db.run(UNTELL, lock, places.at(-1) ?? FIRST);
  }

  #review(name: string, { token, slots }: LockRequest, now: number): Review {
    const row = this.#board.db.get(STATE, this.#board.prefix, name, now, token);
    if (row === undefined) return FREE;
    const held = numberIn(row, "held");
    const place = orNull(row, "place", numberIn);
    const freeAt = orNull(row, "free_at", numberIn) ?? Number.POSITIVE_INFINITY;
    const facts = { isInLine: place !== null, isUnnoted: false, changesAt: freeAt, gone: [] };
    if (numberIn(row, "is_mine") === 1) return { ...facts, isNext: true };
    if (held >= slots) return { ...facts, isNext: false }; // whoever is in front
    const front = this.#board.db.all(IN_FRONT, numberIn(row, "id"), place ?? LAST);
    const { ready, gone, taken } = walk(front, held, now);
    const ends = ready.map((other) => turnEndOf(other, now));
    return {
      isNext: taken < slots,
      isInLine: place !== null,
      isUnnoted: ends.includes(null),
      changesAt: Math.min(freeAt, ...ends.map((end) => end ?? Number.POSITIVE_INFINITY)),
      gone,
    };
  }

  #forget(now: number): void {
    for (const row of this.#board.db.all(FORGOTTEN, now, FORGOTTEN_AT_ONCE)) {
      for (const sql of FORGET) this.#board.db.run(sql, numberIn(row, "id"));
    }
  }
}

/**
 * Along those in front: each reserves a slot, as far as its own `slots` allow; behind the first that has to wait itself everybody waits. What
 * is reserved for one who allows fewer must not be spoilt by one behind who would allow more.
 * @returns whose turn it is, who is not to be waited for, and how many slots are taken or reserved
 */
function walk(front: readonly Row[], held: number, now: number) {
  const gone: number[] = [];
  const ready: Row[] = [];
  let taken = held;
  let fewest = Number.POSITIVE_INFINITY;
  for (const row of front) {
    const slots = Math.min(fewest, numberIn(row, "slots"));
    const canTake = taken < slots;
    if (isGone(row) || (canTake && isOver(turnEndOf(row, now), now))) gone.push(numberIn(row, "id"));
    else if (!canTake) return { ready, gone, taken: Number.POSITIVE_INFINITY };
    else {
      taken++;
      fewest = slots;
      ready.push(row);
    }
  }
  return { ready, gone, taken: taken < fewest ? taken : Number.POSITIVE_INFINITY };
}

/** `null`: it has not begun, or the clock was put back since. */
function turnEndOf(row: Row, now: number): number | null {
  const told = orNull(row, "told", numberIn);
  return told === null || told > now ? null : told + TURN_MS;
}

function isOver(end: number | null, now: number): boolean {
  return end !== null && end <= now;
}

/** Whoever waits in another place, where it cannot be told, counts until its turn is over. */
export function isGone(row: Row): boolean {
  const owner = { pid: numberIn(row, "pid"), started: textIn(row, "started"), scene: textIn(row, "scene") };
  return isOfOtherBoot(owner.scene) || isRunning(owner) === false;
}
