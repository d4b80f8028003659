/** Listing keys: by name, in short statements, so that no reader keeps the WAL from shrinking back. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { compileGlob, literalPrefix } from "../../core/glob.ts";
import { decodeName } from "../../core/names.ts";
import { bytesIn, numberIn } from "./cells.ts";
import type { Database } from "./database.ts";

const PAGE = 1000;
/** An empty array may reach SQLite as NULL, depending on the driver. */
const NAMES = `SELECT name FROM entries WHERE name >= coalesce(?1, x'') AND name < ?2
  AND (expires_at IS NULL OR expires_at > ?3) ORDER BY name LIMIT ${PAGE}`;
const COUNT = `SELECT count(*) AS count FROM entries WHERE name >= coalesce(?1, x'') AND name < ?2
  AND (expires_at IS NULL OR expires_at > ?3)`;

/** The matching keys in the order of their bytes. Each page begins behind the last, so no key comes twice. */
export async function* listKeys(db: Database, pattern: string): AsyncGenerator<readonly string[]> {
  const matches = compileGlob(pattern);
  const prefix = literalPrefix(pattern);
  const end = endOf(prefix);
  let from = prefix;
  for (;;) {
    const rows = db.read(() => db.all(NAMES, from, end, Date.now()));
    const names = rows.map((row) => bytesIn(row, "name"));
    const found = names.filter(matches).map(decodeName);
    if (found.length > 0) yield found;
    const last = names.at(-1);
    if (last === undefined || names.length < PAGE) return;
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
