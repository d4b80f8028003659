/** Which config file is found, and what a file that is not ours may do to us: nothing. */
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { section, world } from "./config-world.ts";

const OURS = section("keyspace_prefix: found");

test("without any file the defaults hold", async () => {
  const here = world();
  const { settings, file, warnings } = await here.load();
  expect(file).toBeNull();
  expect(warnings).toEqual([]);
  expect(settings).toEqual({
    enabled: true,
    backend: "auto",
    url: "redis://localhost:6379/0",
    password: null,
    prefix: "timmy",
    ttlMs: 3_600_000,
    fallback: true,
    memoryPath: join(here.root, "home/.local/state/timmy-bb/board.db"),
    durability: "normal",
    history: { messagesPerChannel: 1000, changes: 10_000, maxAgeMs: 604_800_000 },
    agent: "me@here",
    timeoutMs: 5000,
  });
});

test.each([
  ["block style", OURS],
  ["flow style", "{ blackboard: { keyspace_prefix: found } }"],
  ["a quoted key", 'other: 1\n"blackboard":\n  keyspace_prefix: found\n'],
  ["an explicit key", "? blackboard\n: keyspace_prefix: found\n"],
  ["a byte order mark", `\ufeff${OURS}`],
  ["CRLF line ends", OURS.replaceAll("\n", "\r\n")],
  ["a document start and end", `---\n${OURS}...\n`],
  ["another YAML version", `%YAML 1.1\n---\n${OURS}`],
])("the section is found in %s", async (_, text) => {
  const here = world({ "work/config.yaml": text });
  const { settings, file } = await here.load();
  expect(settings.prefix).toBe("found");
  expect(file).toBe(join(here.root, "work/config.yaml"));
});

test("the nearest file with a section counts; files without one are passed over", async () => {
  const here = world({
    "config.yaml": section("keyspace_prefix: far"),
    "work/config.yaml": OURS,
    "work/a/config.yaml": "agents: [blackboard]\n",
    "work/a/b/config.yaml": "agents: []\n",
    "home/.config/timmy-bb/config.yaml": section("keyspace_prefix: users"),
  });
  const { settings, file } = await here.load({ cwd: "work/a/b" });
  expect(settings.prefix).toBe("found");
  expect(file).toBe(join(here.root, "work/config.yaml"));
});

test("the working directory may be the root", async () => {
  const { settings } = await world().load({ cwd: "../../../../../../../.." });
  expect(settings.prefix).toBe("timmy");
});

test.each([
  ["a section without settings", "blackboard:\n"],
  ["an empty map", "blackboard: {}\n"],
  ["an empty group", "blackboard:\n  redis:\n    # url: x\n"],
])("%s is a section of defaults", async (_, text) => {
  const here = world({ "config.yaml": section("keyspace_prefix: far"), "work/config.yaml": text });
  expect((await here.load()).settings.prefix).toBe("timmy");
});

test.each([
  ["broken YAML", "a: [b\nnot: blackboard {{ x }}\n"],
  ["a nested section", "programs:\n  blackboard:\n   - {{ x }}\n"],
  ["a list", "- blackboard: 1\n"],
  ["a text", "blackboard\n"],
  ["nothing", ""],
  ["a comment", "# blackboard: {}\n"],
  ["several documents", "a: blackboard\n---\nb: 1\n"],
  ["a binary", Buffer.from([0, 1, 2, 255])],
  ["Latin-1", Buffer.concat([Buffer.from("name: blackboard "), Buffer.of(0xe4)])],
  ["64 KiB of something", `${"# long\n".repeat(20_000)}a: blackboard\n`],
  ["deep nesting", `blackboards: ${"[".repeat(60_000)}`],
])("%s on the way up does not stop us", async (_, content) => {
  const here = world({ "config.yaml": OURS, "work/config.yaml": content });
  const { settings, warnings } = await here.load();
  expect(settings.prefix).toBe("found");
  expect(warnings).toEqual([]);
});

test.each([
  [
    "broken YAML",
    "blackboard:\n  redis: [\n",
    "config.yaml:3:1: the indentation is wrong, or a bracket is not closed",
  ],
  ["a byte order mark and broken YAML", "\ufeffblackboard: [\n", "config.yaml:2:1: "],
  [
    "an undeclared tag of ours",
    "blackboard:\n  agent: !x!y me\n",
    "config.yaml:2:10: a tag cannot be used here",
  ],
  ["broken flow style", "{ blackboard: { redis: [ }", "config.yaml:1:"],
  ["a broken foreign section", 'other: "\nblackboard:\n', "config.yaml:"],
  ["several documents", "blackboard: {}\n---\nb: 1\n", "config.yaml:2: the file holds several documents"],
  ["several documents, ours second", "a: 1\n---\nblackboard: {}\n", "several documents"],
  [
    "two sections",
    "blackboard: {}\na: 1\nblackboard: {}\n",
    "config.yaml:3: the section blackboard is given twice",
  ],
  ["too much", `blackboard:\n${"# long\n".repeat(20_000)}`, "config.yaml: it is larger than 64 KiB"],
  ["a NUL", "blackboard:\n  agent: a\0b\n", "config.yaml: it is not UTF-8 text"],
  ["deep nesting", `blackboard:\n  redis: ${"[".repeat(60_000)}`, "config.yaml"],
])("%s in a file that claims to be ours is an error", async (_, content, message) => {
  const refusal = await world({ "work/config.yaml": content }).refusal();
  expect(refusal.kind).toBe("config");
  expect(refusal.message).toContain(message);
});

test("a file of exactly 64 KiB is read", async () => {
  const text = OURS.padEnd(65_536, "#");
  expect((await world({ "work/config.yaml": text }).load()).settings.prefix).toBe("found");
  expect((await world({ "work/config.yaml": `${text}#` }).refusal()).message).toContain("64 KiB");
});

test("directories and pipes called config.yaml are passed over, and nobody waits for a writer", async () => {
  const here = world({ "config.yaml": OURS });
  mkdirSync(join(here.root, "work/a/config.yaml"), { recursive: true });
  execFileSync("mkfifo", [join(here.root, "work/config.yaml")]);
  expect((await here.load({ cwd: "work/a" })).settings.prefix).toBe("found");
});

test("an unreadable file on the way up is passed over with a warning", async () => {
  const here = world({ "config.yaml": OURS });
  symlinkSync("config.yaml", join(here.root, "work/config.yaml")); // a loop: unreadable for root too
  const { settings, warnings } = await here.load();
  expect(settings.prefix).toBe("found");
  expect(warnings).toEqual(["config.yaml cannot be read (too many symbolic links) and is passed over"]);
});

test("sections of other programs may hold anything", async () => {
  const laughs = Array.from({ length: 9 }, (_, at) => `  l${at + 1}: &l${at + 1} [${`*l${at},`.repeat(9)}]`);
  const text = [
    "other: &anchor !custom { a: 1, a: 2 }",
    "more: *anchor",
    "number: !!int text",
    "undeclared: !x!y text",
    "kind: !!seq { a: 1 }",
    "bomb:\n  l0: &l0 lol",
    ...laughs,
    "<<: *anchor",
    OURS,
  ].join("\n");
  expect((await world({ "work/config.yaml": text }).load()).settings.prefix).toBe("found");
});

test("a named file counts alone, relative to the working directory", async () => {
  const here = world({ "work/config.yaml": OURS, "work/sub/my.yml": section("keyspace_prefix: named") });
  expect((await here.load({ config: "sub/my.yml" })).settings.prefix).toBe("named");
  expect((await here.load({ env: { TIMMY_BB_CONFIG: "sub/my.yml" } })).settings.prefix).toBe("named");
  expect((await here.load({ env: { TIMMY_BB_CONFIG: "" } })).settings.prefix).toBe("found");
  const both = await here.load({ config: "config.yaml", env: { TIMMY_BB_CONFIG: "absent" } });
  expect(both.settings.prefix).toBe("found");
});

test("a named file may stand in the home directory, or be a device", async () => {
  const here = world({ "home/b.yaml": OURS });
  expect((await here.load({ env: { TIMMY_BB_CONFIG: "~/b.yaml" } })).settings.prefix).toBe("found");
  expect((await here.refusal({ config: "/dev/null" })).message).toContain("has no blackboard section");
});

test.each([
  ["absent.yaml", "the config file absent.yaml does not exist"],
  ["foreign.yaml", "the config file foreign.yaml has no blackboard section"],
  ["word.yaml", "the config file word.yaml has no blackboard section"],
  ["broken.yaml", "broken.yaml:3:1: "],
  ["binary.yaml", "binary.yaml: it is not UTF-8 text"],
  [".", "cannot be read (it is a directory)"],
  ["", "the config file's name is empty"],
])("a named file must be right: %j", async (config, message) => {
  const here = world({
    "work/foreign.yaml": "a: 1\n",
    "work/word.yaml": "a: blackboard\n",
    "work/broken.yaml": "a: blackboard\nb: [\n",
    "work/binary.yaml": Buffer.from([255, 254, 0, 1]),
  });
  const refusal = await here.refusal({ config });
  expect(refusal.kind).toBe("config");
  expect(refusal.message).toContain(message);
});

test("the user's own file is the last, where XDG says", async () => {
  const here = world({
    "home/.config/timmy-bb/config.yaml": OURS,
    "xdg/timmy-bb/config.yaml": section("agent: x"),
  });
  expect((await here.load()).settings.prefix).toBe("found");
  expect((await here.load({ env: { XDG_CONFIG_HOME: "relative" } })).settings.prefix).toBe("found");
  expect((await here.load({ env: { XDG_CONFIG_HOME: join(here.root, "xdg") } })).settings.agent).toBe("x");
});

test("the user's own file is told about when it has no section", async () => {
  const here = world({ "home/.config/timmy-bb/config.yaml": "prefix: x\n" });
  const { file, warnings } = await here.load();
  expect(file).toBeNull();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain("timmy-bb/config.yaml has no blackboard section");
  here.put("home/.config/timmy-bb/config.yaml", "\n  # nothing yet\n\n");
  expect((await here.load()).warnings).toEqual([]);
});

test("messages show a file inside the working directory by its relative path, others whole", async () => {
  const here = world({ "config.yaml": section("x: 1"), "work/a.yaml": section("x: 1") });
  expect((await here.refusal()).message).toMatch(new RegExp(`^${here.root}/config.yaml:2: `));
  expect((await here.refusal({ config: join(here.root, "work/a.yaml") })).message).toMatch(/^a\.yaml:2: /);
});
