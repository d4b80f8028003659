/** The suite: every group, run on one target, each leaving a note of what it did for `inventory.test.ts`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, inject, type RunnerTask } from "vitest";
import type { StoreName } from "../../src/core/types.ts";
import { GROUPS } from "./groups/index.ts";
import { type Form, Target } from "./target.ts";

/** What a group did on a target. */
export interface Note {
  readonly group: string;
  readonly target: string;
  readonly tests: readonly string[];
  readonly passed: number;
}

/** For a test file: all groups on one target. */
export function runSuite(store: StoreName, form: Form, { tls = false } = {}): void {
  const target = new Target(store, form, tls);
  describe(target.name, () => {
    target.install();
    for (const [group, register] of Object.entries(GROUPS)) {
      describe(group, () => {
        register(target);
        let tasks: readonly RunnerTask[] = [];
        beforeEach(({ task }) => {
          tasks = task.suite?.tasks ?? []; // all of the group's, skipped ones too
        });
        afterAll(() => leaveNote(group, target.name, tasks));
      });
    }
  });
}

function leaveNote(group: string, target: string, tasks: readonly RunnerTask[]): void {
  const passed = tasks.filter(({ result }) => result?.state === "pass").length;
  const note: Note = { group, target, tests: tasks.map(({ name }) => name), passed };
  const directory = inject("runDirectory");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${target}.${group}.json`), JSON.stringify(note));
}
