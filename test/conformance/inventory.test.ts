/**
 * Proves that every group ran on every target, with the same tests, all passed, none skipped. It runs after all other
 * files (see vitest.config.ts) and reads the notes they left; alone it has nothing to read and fails.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, test } from "vitest";
import type { Note } from "./suite.ts";

const TARGETS = ["memory-cli", "memory-library", "redis-cli", "redis-library", "redis-tls-library"];
/** Written out, so that no group can leave by leaving the registry. */
const REQUIRED = [
  "change-consumers",
  "changes",
  "channels",
  "clear",
  "close",
  "conditions",
  "consumers",
  "errors",
  "expiry",
  "fences",
  "foreign",
  "forms",
  "history",
  "incr",
  "initial",
  "keys",
  "line",
  "locks",
  "names",
  "pubsub",
  "replay",
  "status",
  "take",
  "values",
  "wait",
  "watch",
];
const FEWEST_TESTS = 2;

const notes = readNotes();

test("the groups are those that are required, and each file is one", () => {
  const files = readdirSync(fileURLToPath(new URL("groups", import.meta.url)));
  const groups = files.filter((file) => file !== "index.ts").map((file) => file.replace(/\.ts$/, ""));
  expect(groups.sort()).toEqual(REQUIRED);
});

test.each(REQUIRED)("%s ran on all targets, with the same tests, all passed", (group) => {
  const ofGroup = notes.filter((note) => note.group === group);
  expect(ofGroup.map(({ target }) => target).sort()).toEqual(TARGETS);
  const tests = ofGroup[0]?.tests ?? [];
  expect(tests.length).toBeGreaterThanOrEqual(FEWEST_TESTS);
  expect(new Set(tests).size, "two tests of one name").toBe(tests.length);
  for (const note of ofGroup) {
    expect(note.tests, note.target).toEqual(tests);
    expect(note.passed, `passed on ${note.target}`).toBe(tests.length);
  }
});

function readNotes(): Note[] {
  const directory = inject("runDirectory");
  return readdirSync(directory).map((file) => JSON.parse(readFileSync(join(directory, file), "utf8")));
}
