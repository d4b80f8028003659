/**
 * Where the board file lies: made with the right access before SQLite sees it, and refused where sharing it
 * between processes cannot work. An existing file is never opened here: closing any descriptor of it drops the
 * POSIX locks this process holds on it (https://sqlite.org/howtocorrupt.html, 2.2).
 */
import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { BlackboardError, codeOf } from "../../core/errors.ts";
import { fromFileSystem, PLACE_HINT, replacedFile } from "./faults.ts";
import { unsharedReason } from "./mounts.ts";

/** Tells whether a path still leads to the same file. */
export interface Identity {
  readonly dev: number;
  readonly ino: number;
}

/** Makes directory (0700) and file (0600) where they are missing. @throws BlackboardError `config`, `unavailable` */
export function preparePlace(path: string): Identity {
  if (path === "") throw noPlace();
  const found = lookAt(path);
  if (found === null) makeDirectory(dirname(path));
  checkShared(dirname(path));
  const stats = found ?? createFile(path);
  checkFile(path, stats);
  return { dev: stats.dev, ino: stats.ino };
}

/** @throws BlackboardError `unavailable` if the path leads to another file by now, or to none */
export function checkSameFile(path: string, identity: Identity): void {
  const now = statSync(path, { throwIfNoEntry: false });
  if (now?.ino !== identity.ino || now.dev !== identity.dev) throw replacedFile(path);
}

/** `null`: it is not there, or what is wrong with the way to it shows when that is made. */
function lookAt(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch {
    return null;
  }
}

function makeDirectory(directory: string): void {
  try {
    makeDirectories(directory);
  } catch (cause) {
    throw fromFileSystem(cause, `make the directory ${directory}`);
  }
}

function checkShared(directory: string): void {
  let reason: string | null;
  try {
    reason = unsharedReason(directory);
  } catch (cause) {
    throw fromFileSystem(cause, `make the directory ${directory}`);
  }
  if (reason !== null) throw wrongPlace(`${directory} is on ${reason}, where processes cannot share a board`);
}

/** Not `recursive`: Node 20's own loop never ends where a directory can neither be made nor be there, as in /proc. */
function makeDirectories(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return;
  if (dirname(directory) !== directory) makeDirectories(dirname(directory));
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error; // another process may have been faster
  }
}

/** `wx`: another process may have been faster, and its file must not be opened here. */
function createFile(path: string): Stats {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (cause) {
    if (codeOf(cause) !== "EEXIST") throw fromFileSystem(cause, `make the board file ${path}`);
  }
  try {
    return lstatSync(path);
  } catch (cause) {
    throw fromFileSystem(cause, `use the board file ${path}`);
  }
}

function checkFile(path: string, stats: Stats): void {
  if (stats.isSymbolicLink()) throw wrongPlace(`the board file ${path} is a symbolic link`);
  if (!stats.isFile()) throw wrongPlace(`the board file ${path} is not a regular file`);
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw fromFileSystem(cause, `read and write the board file ${path}`);
  }
}

/** A user without a home directory, as in a container, who gave no path either. */
function noPlace(): BlackboardError {
  return new BlackboardError("config", "there is no home directory to keep the board in", {
    hint: "set HOME, or set TIMMY_BB_DATA_DIR to the directory that shall hold the board",
  });
}

function wrongPlace(message: string): BlackboardError {
  return new BlackboardError("config", message, { hint: PLACE_HINT });
}
