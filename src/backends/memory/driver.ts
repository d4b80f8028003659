/**
 * Which SQLite: the only file that knows. The runtime's own where it is stable and of a sound version, else
 * `@photostructure/sqlite`, which has the same API. Versions before 3.51.3 can corrupt a file in WAL mode
 * (https://sqlite.org/wal.html, "the WAL-reset bug").
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { BlackboardError } from "../../core/errors.ts";
import type { Cell } from "./cells.ts";

/** The part of a prepared statement used here. */
export interface Statement {
  run(...parameters: Cell[]): { readonly changes: number | bigint };
  get(...parameters: Cell[]): unknown;
  all(...parameters: Cell[]): unknown[];
}

/** The part of a connection used here. */
export interface Connection {
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

interface Driver {
  DatabaseSync: new (location: string, options: { timeout: number }) => Connection;
}

const OLDEST_SOUND = "3.51.3";
const OLDEST_NODE = 24;
/** Not a literal: the types of Node 20 do not know the module. */
const BUILT_IN: string = "node:sqlite";

/**
 * Opens the file, which must exist: `mode=rw` keeps SQLite from making one with the wrong access rights. Nothing is read yet, so a
 * file that is no database, and an unsound SQLite, are found by the first statement (see `checkSound`).
 */
export async function connect(path: string, timeoutMs: number): Promise<Connection> {
  const { DatabaseSync } = builtIn() ?? prebuilt() ?? (await packaged());
  return new DatabaseSync(`file:${escapeUri(path)}?mode=rw`, { timeout: timeoutMs });
}

/** By hand: `pathToFileURL` takes 0.2 ms at its first call. A file system's other bytes than UTF-8 never come here. */
function escapeUri(path: string): string {
  return encodeURI(path).replace(/[?#]/g, encodeURIComponent);
}

/** @throws BlackboardError `config` for a version of SQLite that can corrupt the file */
export function checkSound(version: string): void {
  if (isAtLeast(version, OLDEST_SOUND)) return;
  throw new BlackboardError(
    "config",
    `SQLite ${version} can damage the board file; ${OLDEST_SOUND} is needed`,
  );
}

/** A runtime that does not say which SQLite it has is asked by the first statement. */
function builtIn(): Driver | null {
  const { node, sqlite } = process.versions;
  if (Number.parseInt(node, 10) < OLDEST_NODE) return null;
  if (sqlite !== undefined && !isAtLeast(sqlite, OLDEST_SOUND)) return null;
  return process.getBuiltinModule(BUILT_IN) as unknown as Driver;
}

/**
 * The package's binary, loaded without the package's own JavaScript, which takes longer than all else that opening a board does. `null`: it
 * is not where it travels with the package, or what is there does not load; or the package was built on this machine, which goes first.
 */
function prebuilt(): Driver | null {
  const home = packageHome();
  if (home === null || existsSync(join(home, "build"))) return null;
  const { platform, arch } = process;
  const libc = platform === "linux" && existsSync("/etc/alpine-release") ? "musl" : "glibc";
  const addon = { exports: {} as Driver };
  try {
    process.dlopen(addon, join(home, `prebuilds/${platform}-${arch}/@photostructure+sqlite.${libc}.node`));
    return addon.exports;
  } catch {
    return null; // the package knows more ways, and says what is wrong if none leads anywhere
  }
}

/** The directory of the package, as Node would find it from here: `require.resolve` takes 2 ms for the same. */
function packageHome(): string | null {
  for (let from = import.meta.dirname ?? "/"; ; from = dirname(from)) {
    const home = join(from, "node_modules/@photostructure/sqlite");
    if (existsSync(home)) return home;
    if (dirname(from) === from) return null;
  }
}

async function packaged(): Promise<Driver> {
  try {
    return await import("@photostructure/sqlite");
  } catch (cause) {
    throw new BlackboardError("unavailable", "the SQLite driver cannot be loaded", {
      hint: "reinstall timmy-bb, or use Node 24 with its own SQLite",
      cause,
    });
  }
}

function isAtLeast(version: string, least: string): boolean {
  const [have, want] = [version, least].map((text) => text.split(".").map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (have?.[part] ?? 0) - (want?.[part] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
