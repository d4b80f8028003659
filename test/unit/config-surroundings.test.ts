/** What is taken from the surroundings: where the board's file is, and who writes. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { section, world, worldWith } from "./config-world.ts";

test("the board's file: relative to what names it, ~/ expanded, XDG followed", async () => {
  const here = world({ "config.yaml": section("memory: { path: data/b.db }") });
  const path = async (how: Parameters<typeof here.load>[0]) => (await here.load(how)).settings.memoryPath;
  expect(await path({})).toBe(join(here.root, "data/b.db"));
  expect(await path({ env: { TIMMY_BB_DATA_DIR: "dir" } })).toBe(join(here.root, "work/dir/board.db"));
  expect(await path({ env: { TIMMY_BB_DATA_DIR: "~/dir" } })).toBe(join(here.root, "home/dir/board.db"));
  here.put("config.yaml", section("memory: { path: ~/b.db }"));
  expect(await path({})).toBe(join(here.root, "home/b.db"));
  here.put("config.yaml", section("memory: { path: ~other/b.db }"));
  expect(await path({})).toBe(join(here.root, "~other/b.db"));
  here.put("config.yaml", section("memory: { path: null }"));
  expect(await path({})).toBe(join(here.root, "home/.local/state/timmy-bb/board.db"));
  expect(await path({ env: { XDG_STATE_HOME: "/state" } })).toBe("/state/timmy-bb/board.db");
  expect(await path({ env: { XDG_STATE_HOME: "state" } })).toBe(
    join(here.root, "home/.local/state/timmy-bb/board.db"),
  );
});

test("without a home directory there is a board's file only if it is named", async () => {
  const named = await world().load({ home: "", env: { TIMMY_BB_DATA_DIR: "/d" } });
  expect(named.settings.memoryPath).toBe("/d/board.db");
  expect((await world().load({ home: "" })).settings.memoryPath).toBe("");
  expect((await worldWith("memory: { path: ~/b }").refusal({ home: "" })).message).toContain(
    "home directory",
  );
});

test("without a user's name the agent is unknown, and one that cannot be written is made so", async () => {
  expect((await world().load({ userAtHost: "" })).settings.agent).toBe("unknown");
  expect((await world().load({ userAtHost: "a\u001b@b" })).settings.agent).toBe("unknown");
});
