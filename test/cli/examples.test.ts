/**
 * Every example of the help and of the pages is run by bash, in order, on a board of its own, and prints what it says.
 * In the pages: ```console blocks (`$ ` begins a command, what follows is its output) and ```bash blocks marked
 * `<!-- run -->`; `<!-- not run: reason -->` in front of a block excuses it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test, vi } from "vitest";
import type { Command } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands/index.ts";
import { ROOT } from "../helpers/cli.ts";
import { killProcesses } from "../helpers/processes.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

/** Made from the specs, which are run here themselves; and a session that needs redis, which has its own test. */
const ELSEWHERE = new Set(["commands.md", "redis-layout.md"]);
const PAGES = [
  "README.md",
  ...readdirSync(`${ROOT}docs`)
    .filter((name) => name.endsWith(".md") && !ELSEWHERE.has(name))
    .map((name) => `docs/${name}`),
];
const commands: Command[] = await Promise.all([...COMMANDS.values()].map((load) => load()));

afterAll(() => {
  killProcesses();
  removeTempDirs();
});

describe.concurrent("examples in help", () => {
  test.each(commands)("$name", async ({ examples }) => {
    const place = Workplace.memory();
    expect(examples.length).toBeGreaterThan(0);
    for (const { shell, prints } of examples) {
      const { exit, out, err } = await place.bash(shell);
      expect({ shell, exit, prints: out }).toEqual({ shell, exit: 0, prints: prints ?? out });
      expect({ shell, faults: faultsIn(err) }).toEqual({ shell, faults: [] });
    }
  });
});

/** Errors an example shows on purpose are waited-for messages and refusals; these never are. */
function faultsIn(err: string): string[] {
  return err
    .split("\n")
    .filter((line) =>
      /there is no (option|command)|missing|a fault of|cannot be loaded|not found/.test(line),
    );
}

interface Block {
  readonly where: string;
  readonly language: string;
  readonly text: string;
  readonly comment: string;
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(ROOT + page, "utf8");
  const found = text.matchAll(/(?:<!--([^>]*?)-->\n+)?^```(\w*)\n([\s\S]*?)^```$/gm);
  return [...found].map((match) => ({
    where: `${page}:${text.slice(0, match.index).split("\n").length}`,
    language: match[2] ?? "",
    text: match[3] ?? "",
    comment: (match[1] ?? "").trim(),
  }));
}

const isShell = ({ language }: Block) => ["console", "bash", "sh", "shell"].includes(language);
const isExcused = ({ comment }: Block) => /^not run: .{5,}/s.test(comment);
const blocks = PAGES.flatMap(blocksOf);
const sessions = blocks.filter((block) => block.language === "console" && !isExcused(block));
const scripts = blocks.filter((block) => block.language !== "console" && block.comment === "run");

interface Step {
  readonly command: string;
  readonly prints: string;
}

/** Comments are for the reader, `> ` goes on with a command, blank lines before the next command are no output. */
function stepsOf(text: string): Step[] {
  const steps: { command: string; lines: string[] }[] = [];
  for (const line of text.split("\n").slice(0, -1)) {
    const last = steps.at(-1);
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), lines: [] });
    else if (line.startsWith("# ")) continue;
    else if (last === undefined) throw new Error(`output before any command: ${line}`);
    else if (line.startsWith("> ") && last.lines.length === 0) last.command += `\n${line.slice(2)}`;
    else last.lines.push(line);
  }
  return steps.map(({ command, lines }) => {
    while (lines.at(-1) === "") lines.pop();
    return { command, prints: lines.map((line) => `${line}\n`).join("") };
  });
}

describe.concurrent("examples in the pages", () => {
  test("every console and bash block is run or says why not", () => {
    const loose = blocks.filter(
      (block) => isShell(block) && !sessions.includes(block) && !scripts.includes(block) && !isExcused(block),
    );
    expect(loose.map(({ where }) => where)).toEqual([]);
  });

  test("there are some, and the README has most of them", () => {
    expect(sessions.filter(({ where }) => where.startsWith("README.md")).length).toBeGreaterThan(4);
  });

  test.each(sessions)("$where", async ({ text }) => {
    const place = Workplace.memory();
    const steps = stepsOf(text);
    expect(steps.length).toBeGreaterThan(0);
    for (const { command, prints } of steps) {
      const { exit, out, err } = await place.bash(command);
      expect({ command, exit, prints: out }).toEqual({ command, exit: 0, prints });
      expect({ command, faults: faultsIn(err) }).toEqual({ command, faults: [] });
    }
  });

  // A page need not have one, and an empty list of tests would be an error.
  for (const { where, text } of scripts) {
    test(where, async () => {
      const { exit, err } = await Workplace.memory().bash(`set -euo pipefail\n${text}`);
      expect({ exit, err }).toEqual({ exit: 0, err: "" });
    });
  }
});
