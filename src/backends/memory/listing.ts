/** Listing keys: by name, in short statements, so that no reader keeps the WAL from shrinking back. */
import { isUtf8 } from "node:buffer";
import { setImmediate as nextTurn } from "node:timers/promises";
import { compileGlob, escapeGlob, literalPrefix, type Matcher } from "../../core/glob.ts";
import { decodeName } from "../../core/names.ts";
import { bytesIn, numberIn, orNull } from "./cells.ts";
import type { Database } from "./database.ts";

const PAGE = 1000;
/** The separator of names, which hold no control characters. */
const NUL = 0;

/** An empty array may reach SQLite as NULL, depending on the driver. */
const IN_RANGE = "name >= coalesce(?1, x'') AND name < ?2";
/**
 * A page as one cell: making an object of each row takes longer than finding it. Of the index of names alone: to look into each key's
 * row, which lies anywhere in the file, takes ten times as long.
 */
const PAGES = (condition: string) => `SELECT count(*) AS count, max(name) AS last,
  CAST(group_concat(name, x'00') AS BLOB) AS names
  FROM (SELECT name FROM entries WHERE ${IN_RANGE} ${condition} ORDER BY name LIMIT ${PAGE})`;
export const NAMES = PAGES("");
const LIVE_NAMES = PAGES("AND (expires_at IS NULL OR expires_at > ?3)");
/** What has expired and is not cleared away yet: nearly always next to nothing. */
const EXPIRED = `SELECT name FROM entries WHERE expires_at <= ? LIMIT ${PAGE}`;
/** `+` keeps SQLite from the index of names, which would look into each key's row. */
export const COUNT = `SELECT (SELECT count(*) FROM entries WHERE ${IN_RANGE})
  - (SELECT count(*) FROM entries WHERE expires_at <= ?3 AND +name >= coalesce(?1, x'') AND +name < ?2) AS count`;

/** Names as they are joined in a cell. */
interface Page {
  readonly names: Buffer;
  readonly expired: ReadonlySet<string>;
  /** The last of the names; `null`: no more follow. */
  readonly last: Buffer | null;
}

/** The matching keys, in about the order of their bytes. Each page begins behind the last, so no key comes twice. */
export async function* listKeys(db: Database, pattern: string): AsyncGenerator<readonly string[]> {
  const prefix = literalPrefix(pattern);
  const isPrefix = pattern === `${escapeGlob(decodeName(prefix))}*`;
  const matches = isPrefix ? null : compileGlob(pattern);
  const end = endOf(prefix);
  for (let from = prefix; ; ) {
    const { names, expired, last } = db.snapshot(() => pageOf(db, from, end));
    const found = matching(names, matches);
    const live = expired.size === 0 ? found : found.filter((name) => !expired.has(name));
    if (live.length > 0) yield live;
    if (last === null) return;
    from = Buffer.concat([last, Buffer.of(0)]);
    await nextTurn(); // many pages without a match must not keep the process from anything else
  }
}

/** How many keys begin with these bytes. */
export function countKeys(db: Database, prefix: Buffer): number {
  return numberIn(db.one(COUNT, prefix, endOf(prefix), Date.now()), "count");
}

/** The first bytes behind everything with this prefix. No name holds 0xff, which UTF-8 has no use for. */
export function endOf(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.of(0xff)]);
}

/** Where much has expired, SQLite sorts it out itself. Needs a transaction around it, so that all is of one moment. */
function pageOf(db: Database, from: Buffer, end: Buffer): Page {
  const now = Date.now();
  const expired = db.all(EXPIRED, now).map((row) => decodeName(bytesIn(row, "name")));
  const isMuch = expired.length === PAGE;
  const row = isMuch ? db.one(LIVE_NAMES, from, end, now) : db.one(NAMES, from, end);
  const isLast = numberIn(row, "count") < PAGE;
  return {
    names: orNull(row, "names", bytesIn) ?? Buffer.alloc(0),
    expired: new Set(isMuch ? [] : expired),
    last: isLast ? null : bytesIn(row, "last"),
  };
}

/** @param matches `null`: all of them do */
function matching(names: Buffer, matches: Matcher | null): readonly string[] {
  if (names.length === 0) return [];
  if (matches === null && isUtf8(names)) return names.toString("utf8").split("\0");
  const all = split(names);
  return (matches === null ? all : all.filter(matches)).map(decodeName);
}

function split(names: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0; start <= names.length; ) {
    const end = names.indexOf(NUL, start);
    const next = end < 0 ? names.length : end;
    parts.push(names.subarray(start, next));
    start = next + 1;
  }
  return parts;
}
