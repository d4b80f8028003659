/**
 * Taking the oldest of the selected keys. It is looked for by reading, and taken in a short transaction if it is still there. That is right because
 * no older key can appear meanwhile: numbers only grow, and a key that was deleted and made again is a younger one.
 */
import { setImmediate as breath } from "node:timers/promises";
import { literalPrefix } from "../../core/glob.ts";
import { decodeName, encodeName } from "../../core/names.ts";
import type { KeySelection, Taken } from "../../core/types.ts";
import type { Board } from "./board.ts";
import { bytesIn, numberIn, type Row } from "./cells.ts";
import type { Database } from "./database.ts";
import { factsIn } from "./facts.ts";
import { endOf } from "./listing.ts";
import { compileSelection } from "./selection.ts";

/** How many of the oldest keys are read at first, and how many at once later. */
const FIRST_PAGE = 16;
const PAGE = 1024;
/** If none is selected among so many, it may be that few are by their names: if there are no more than this, they are read instead. */
const FEW = 5000;

const ALIVE = "(expires_at IS NULL OR expires_at > ?1)";
const BY_AGE = `SELECT name, first FROM entries WHERE first > ?2 AND ${ALIVE} ORDER BY first LIMIT ?3`;
const BY_NAME = `SELECT name, first FROM entries WHERE name = ?2 AND ${ALIVE}`;
/** An empty array may reach SQLite as NULL, depending on the driver. */
const BY_RANGE = `SELECT name, first FROM entries WHERE name >= coalesce(?2, x'') AND name < ?3 AND ${ALIVE} LIMIT ?4`;
const FOUND = `SELECT expires_at, author, last, length(value) AS size, value FROM entries
  WHERE name = ?2 AND first = ?3 AND ${ALIVE}`;
const REMOVE = "DELETE FROM entries WHERE name = ?";

/** `null` only if at some moment there was none: whenever one was found and somebody else was faster, it looks again. */
export async function takeOldest(
  board: Board,
  selection: KeySelection,
  agent: string,
): Promise<Taken | null> {
  const { hasEntry } = compileSelection(selection);
  for (;;) {
    let isEmpty = true;
    for await (const rows of oldestFirst(board.db, selection)) {
      const candidates = rows.filter(hasEntry);
      if (candidates.length === 0) continue;
      isEmpty = false;
      const taken = board.change((now) => takeFirst(board, candidates, agent, now));
      if (taken !== null) return taken;
    }
    if (isEmpty) return null;
  }
}

/** The first of them that is still there. */
function takeFirst(board: Board, candidates: readonly Row[], agent: string, now: number): Taken | null {
  for (const candidate of candidates) {
    const name = bytesIn(candidate, "name");
    const row = board.db.get(FOUND, now, name, numberIn(candidate, "first"));
    if (row === undefined) continue;
    board.db.run(REMOVE, name);
    board.logChange({ kind: "del", name, value: null, agent }, now);
    return { ...factsIn(row, decodeName(name), now), value: bytesIn(row, "value") };
  }
  return null;
}

/** Keys, the oldest first, with all that are selected among them. */
async function* oldestFirst(db: Database, selection: KeySelection): AsyncGenerator<readonly Row[]> {
  if (selection.patterns.length === 0) return yield db.snapshot(() => named(db, selection));
  let after = 0;
  for (let size = FIRST_PAGE; ; size *= 4) {
    const rows = db.read(() => db.all(BY_AGE, Date.now(), after, Math.min(size, PAGE)));
    yield rows;
    if (rows.length < Math.min(size, PAGE)) return;
    after = numberIn(rows.at(-1) as Row, "first");
    const few = size === PAGE ? db.snapshot(() => named(db, selection)) : null;
    if (few !== null && few.length <= FEW) return yield few;
    await breath(); // many pages with nothing selected must not keep the process from anything else
  }
}

/** The same by their names, of one moment: those that begin like a pattern, or more than a `FEW` of them. */
function named(db: Database, { keys, patterns }: KeySelection): readonly Row[] {
  const now = Date.now();
  const rows = keys.flatMap((key) => db.all(BY_NAME, now, encodeName(key)));
  for (const head of patterns.map(literalPrefix)) {
    if (rows.length <= FEW) rows.push(...db.all(BY_RANGE, now, head, endOf(head), FEW + 1));
  }
  return rows.sort((left, right) => numberIn(left, "first") - numberIn(right, "first"));
}
