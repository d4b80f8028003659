/**
 * The marker beside a board file that has writes made while redis was away. It answers "is there anything to bring
 * over?" without loading SQLite, which every command on redis asks. It may be there for nothing; it is never missing.
 */
import { closeSync, existsSync, openSync } from "node:fs";
import { codeOf } from "../../core/errors.ts";
import { fromFileSystem } from "./faults.ts";

/** Whether the board file at `path` may have unsynced writes; an empty path is no file. */
export function hasUnsynced(path: string): boolean {
  return path !== "" && existsSync(markerOf(path));
}

/** Sets the marker. Called inside the write transaction, so that a `sync` that ends just then cannot remove it. */
export function markUnsynced(path: string): void {
  const marker = markerOf(path);
  if (existsSync(marker)) return;
  try {
    closeSync(openSync(marker, "wx", 0o600));
  } catch (cause) {
    if (codeOf(cause) !== "EEXIST") throw fromFileSystem(cause, `make the marker ${marker}`);
  }
}

function markerOf(path: string): string {
  return `${path}.unsynced`;
}
