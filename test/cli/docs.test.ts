/** The reference pages are what the specs say, and the figures what was measured. `npm run docs` and `npm run bench:docs` write them. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands/index.ts";
import { commandsPage, configurationPage } from "../helpers/reference.ts";

const DOCS = join(import.meta.dirname, "../../docs");

describe("reference pages", () => {
  test.each([
    ["commands.md", commandsPage],
    ["configuration.md", configurationPage],
  ])("docs/%s is up to date (npm run docs writes it)", async (name, render) => {
    const page = await render();
    if (process.env.UPDATE_DOCS === "1") writeFileSync(join(DOCS, name), page);
    expect(readFileSync(join(DOCS, name), "utf8")).toBe(page);
  });

  test("docs/performance.md is what the results of the last benches make", () => {
    const script = join(import.meta.dirname, "../../bench/docs.js");
    const { stderr } = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
    expect(stderr).toBe("");
  });

  test("docs/json.md has a row for every command", () => {
    const page = readFileSync(join(DOCS, "json.md"), "utf8");
    for (const name of COMMANDS.keys()) expect(page).toContain(`\`${name}\``);
  });
});
