/** The locks of a board: asking for them, keeping them, what is known of them. */
import type { Grant, Holder, LockFacts, LockPatience, LockRequest, RefreshOptions } from "../../core/lock.ts";
import type { Board } from "./board.ts";
import { numberIn, type Row, textIn } from "./cells.ts";
import { isGone, Ledger } from "./ledger.ts";
import { untilFree } from "./lockout.ts";
import { Waiting } from "./waiting.ts";

/*
 * `CROSS`: in this order (https://sqlite.org/lang_select.html). Of all the locks that are remembered few are held or waited for. Without
 * `INDEXED BY` all of `holders` is read to count them.
 */
const STANDING = `FROM holders INDEXED BY holders_by_expiry CROSS JOIN locks ON locks.id = lock
  WHERE board = ? AND expires_at > ?`;
const HOLDERS = `SELECT name, holders.* ${STANDING} ORDER BY holders.fence`;
const LINE = "SELECT name, pid, started, scene FROM line CROSS JOIN locks ON locks.id = lock WHERE board = ?";
const COUNT = `SELECT count(DISTINCT lock) AS count ${STANDING}`;
const LOCK = "FROM locks CROSS JOIN %s ON lock = locks.id WHERE board = ? AND name = ?";
const HOLDERS_OF_ONE = `SELECT name, holders.* ${LOCK.replace("%s", "holders")} AND expires_at > ? ORDER BY holders.fence`;
const LINE_OF_ONE = `SELECT name, pid, started, scene ${LOCK.replace("%s", "line")}`;

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
    const granted = this.#board.db.durably(() => this.#ledger.claim(lock, request, Date.now()));
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
    const { holders, line } = db.snapshot(() => {
      if (lock === null) return { holders: db.all(HOLDERS, prefix, now), line: db.all(LINE, prefix) };
      const one = [prefix, lock] as const;
      return { holders: db.all(HOLDERS_OF_ONE, ...one, now), line: db.all(LINE_OF_ONE, ...one) };
    });
    return factsIn(holders, line, now);
  }

  /** Who waits is answered, and has left the line. */
  async close(): Promise<void> {
    for (const waiting of this.#waiting.keys()) waiting.stop();
    await Promise.allSettled(this.#waiting.values()); // whoever waits is told what failed
  }
}

/** How many locks of the board are held. */
export function countLocks({ db, prefix }: Board): number {
  return numberIn(db.one(COUNT, prefix, Date.now()), "count");
}

function factsIn(holders: readonly Row[], line: readonly Row[], now: number): readonly LockFacts[] {
  const held = byName(holders);
  const waiting = byName(line.filter((row) => !isGone(row)));
  return [...new Set([...held.keys(), ...waiting.keys()])].map((lock) => ({
    lock,
    holders: (held.get(lock) ?? []).map((row) => holderIn(row, now)),
    waiting: waiting.get(lock)?.length ?? 0,
  }));
}

function byName(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const name = textIn(row, "name");
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [row]);
    else group.push(row);
  }
  return groups;
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
