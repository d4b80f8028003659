/** The locks of a board: asking for them, keeping them, what is known of them. */
import type { Grant, Holder, LockFacts, LockPatience, LockRequest, RefreshOptions } from "../../core/lock.ts";
import type { Board } from "./board.ts";
import { numberIn, type Row, textIn } from "./cells.ts";
import { isGone, Ledger } from "./ledger.ts";
import { untilFree } from "./lockout.ts";
import { Waiting } from "./waiting.ts";

const OF_BOARD = "FROM locks JOIN %s ON lock = locks.id WHERE board = ?1 AND (?2 IS NULL OR name = ?2)";
const HOLDERS = `SELECT name, holders.* ${OF_BOARD.replace("%s", "holders")} AND expires_at > ?3 ORDER BY holders.fence`;
const LINE = `SELECT name, pid, started, scene ${OF_BOARD.replace("%s", "line")}`;
const HELD = `SELECT count(DISTINCT lock) AS count FROM locks JOIN holders ON lock = locks.id
  WHERE board = ? AND expires_at > ?`;

export class Locks {
  readonly #board: Board;
  readonly #ledger: Ledger;
  readonly #waiting = new Map<Waiting, Promise<Grant | null>>();

  constructor(board: Board) {
    this.#board = board;
    this.#ledger = new Ledger(board);
  }

  try(lock: string, request: LockRequest): Grant | null {
    const askedAt = performance.now();
    const granted = this.#board.db.durably(() => this.#ledger.claim(lock, request, null, Date.now()));
    return granted && { ...granted, askedAt };
  }

  wait(lock: string, request: LockRequest, patience: LockPatience): Promise<Grant | null> {
    const waiting = new Waiting(this.#board.db, this.#ledger, { lock, request, patience });
    const granted = waiting.granted().finally(() => this.#waiting.delete(waiting));
    this.#waiting.set(waiting, granted);
    return granted;
  }

  refresh(lock: string, token: string, { ttlMs, withinMs }: RefreshOptions): Promise<Grant | null> {
    const { db } = this.#board;
    return untilFree(db, Math.min(withinMs, db.timeoutMs), () => {
      const askedAt = performance.now();
      const granted = db.write(() => this.#ledger.renew(lock, token, ttlMs, Date.now()));
      return granted && { ...granted, askedAt };
    });
  }

  release(lock: string, token: string): boolean {
    return this.#board.db.write(() => this.#ledger.release(lock, token, Date.now()));
  }

  list(lock: string | null): readonly LockFacts[] {
    const { db, prefix } = this.#board;
    const now = Date.now();
    const { holders, line } = db.snapshot(() => ({
      holders: db.all(HOLDERS, prefix, lock, now),
      line: db.all(LINE, prefix, lock).filter((row) => !isGone(row)),
    }));
    const names = new Set([...holders, ...line].map((row) => textIn(row, "name")));
    return [...names].map((name) => {
      const isOfIt = (row: Row) => textIn(row, "name") === name;
      const held = holders.filter(isOfIt).map((row) => holderIn(row, now));
      return { lock: name, holders: held, waiting: line.filter(isOfIt).length };
    });
  }

  /** Who waits is answered, and has left the line. */
  async close(): Promise<void> {
    for (const waiting of this.#waiting.keys()) waiting.stop();
    await Promise.allSettled(this.#waiting.values()); // whoever waits is told what failed
  }
}

/** How many locks of the board are held. */
export function countLocks({ db, prefix }: Board): number {
  return numberIn(db.one(HELD, prefix, Date.now()), "count");
}

function holderIn(row: Row, now: number): Holder {
  return {
    fence: numberIn(row, "fence"),
    owner: textIn(row, "owner"),
    host: textIn(row, "host"),
    pid: numberIn(row, "pid"),
    ageMs: Math.max(0, now - numberIn(row, "since")),
    leftMs: numberIn(row, "expires_at") - now,
  };
}
