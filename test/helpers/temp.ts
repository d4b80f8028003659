/** Temporary directories that are counted, so that a test can prove that it left none behind. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const present = new Set<string>();

/** A new empty directory, 0700, removed by `removeTempDirs`. */
export function tempDir(what = "test"): string {
  const path = mkdtempSync(join(tmpdir(), `timmy-bb-${what}-`));
  present.add(path);
  return path;
}

/** Removes every directory that `tempDir` made. */
export function removeTempDirs(): void {
  for (const path of present) rmSync(path, { recursive: true, force: true });
  present.clear();
}

/** Everything below a directory, as sorted relative paths. */
export function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true }).map(String).sort();
}
