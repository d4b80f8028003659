/**
 * Before all tests: a server is there, what was built is what is tested, and nothing of this machine's
 * configuration is in the environment. After all: the notes of the run are removed.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { EXECUTABLE, ROOT } from "./cli.ts";
import { getRedisServer } from "./get-redis-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the test files of one run leave notes for the inventory. */
    readonly runDirectory: string;
  }
}

export default async function setup(project: TestProject): Promise<() => void> {
  cleanEnvironment();
  checkBuilt();
  await getRedisServer();
  const directory = mkdtempSync(join(tmpdir(), "timmy-bb-run-"));
  process.env.TEST_CACHE = `${directory}-cache`;
  project.provide("runDirectory", directory);
  return () => {
    for (const path of [directory, `${directory}-cache`]) rmSync(path, { recursive: true, force: true });
  };
}

/** The workers inherit it. `NODE_EXTRA_CA_CERTS` costs every child process 60 ms. */
function cleanEnvironment(): void {
  for (const name of Object.keys(process.env)) {
    if (/^(TIMMY_BB_|XDG_|NODE_EXTRA_CA_CERTS$|(NODE|BUN)_OPTIONS$|REDISCLI_AUTH$)/.test(name))
      delete process.env[name];
  }
}

function checkBuilt(): void {
  const files = ["dist/timmy-bb.cjs", "dist/index.js"].map((file) => join(ROOT, file));
  const built = [...files, ...(EXECUTABLE === null ? [] : [EXECUTABLE])].map(changedAt);
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => changedAt(join(entry.parentPath, entry.name)));
  if (Math.min(...built) >= Math.max(...sources)) return;
  throw new Error("dist/ is missing or older than src/: run `npm run build` before the tests.");
}

/** 0 for a file that is not there. */
function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
