/** The table of settings: complete, and the shipped `config.yaml` and the reference agree with it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { configReference, SETTINGS } from "../../src/config/index.ts";
import { section, world } from "./config-world.ts";

const SHIPPED = readFileSync(join(import.meta.dirname, "../../config.yaml"), "utf8");

test("the shipped config.yaml loads cleanly, names every setting, and equals the defaults", async () => {
  const here = world({ "work/config.yaml": SHIPPED });
  const shipped = await here.load();
  const defaults = await world().load({ home: join(here.root, "home") });
  expect(shipped.settings).toEqual(defaults.settings);
  expect(shipped.warnings).toEqual([]);
  const silent = shipped.origins.filter(({ origin }) => origin === "default").map(({ name }) => name);
  expect(silent).toEqual(["memory.path", "agent"]); // null there: whatever is found without the file
  for (const { paths } of SETTINGS) expect(SHIPPED).toContain(`${paths[0].split(".").at(-1)}:`);
});

test("the shipped config.yaml has another program's section", () => {
  expect(SHIPPED).toMatch(/^agents:/m);
});

test("the default for people is what the file would say for the default", async () => {
  for (const setting of SETTINGS) {
    const [path] = setting.paths;
    const [group, leaf] = path.split(".");
    const line =
      leaf === undefined
        ? `${group}: ${setting.defaultText}`
        : `${group}: { ${leaf}: ${setting.defaultText} }`;
    const here = world({ "work/config.yaml": section(line) });
    const defaults = await world().load({ home: join(here.root, "home") });
    expect((await here.load()).settings, line).toEqual(defaults.settings);
  }
});

test("paths, flags, variables and options are each used once", () => {
  const names = SETTINGS.flatMap(({ paths, flag, env, option }) => [
    ...paths,
    flag,
    env,
    option && `option ${option}`,
  ]);
  const given = names.filter((name) => name !== null);
  expect(new Set(given).size).toBe(given.length);
});

test("the reference has a row of the table's width for each setting", () => {
  const [head = "", rule = "", ...rows] = configReference().split("\n");
  const width = (row: string) => row.replaceAll("\\|", "").split("|").length;
  expect(rows).toHaveLength(SETTINGS.length);
  expect(new Set([head, rule, ...rows].map(width)).size).toBe(1);
  for (const [at, { sentence }] of SETTINGS.entries()) {
    expect(rows[at]).toContain(sentence.replaceAll("<", "&lt;"));
    expect(sentence).toMatch(/^[A-Za-z].*\.$/);
  }
});
