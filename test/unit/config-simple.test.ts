/** Simple config files are read without the YAML parser: what is read must be what the parser reads. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { findInDocument, isProblem } from "../../src/config/document.ts";
import { readEntries } from "../../src/config/section.ts";
import { readSimply } from "../../src/config/simple-document.ts";
import { ROOT } from "../helpers/cli.ts";
import { randomOf } from "../helpers/random.ts";

/** As `discover.ts` reads it without the shortcut; an error is a text. */
async function parsed(text: string): Promise<unknown> {
  const found = await findInDocument(text);
  if (found === null) return null;
  if (isProblem(found)) return `problem: ${found.reason}`;
  try {
    return readEntries(found, "config.yaml");
  } catch (error) {
    return `error: ${error}`;
  }
}

async function expectAlike(text: string): Promise<boolean> {
  const simple = readSimply(text);
  if (simple === null) return false;
  const shown = JSON.stringify(text); // on one line
  expect({ shown, entries: simple.entries }).toEqual({ shown, entries: await parsed(text) });
  return true;
}

describe("simple config files", () => {
  test("the one that comes with the program, and the one in the contract, need no parser", async () => {
    expect(await expectAlike(readFileSync(`${ROOT}config.yaml`, "utf8"))).toBe(true);
    expect(await expectAlike(CONTRACT)).toBe(true);
  });

  test.each([
    "",
    "# blackboard\n",
    "other: 1\nblackboard:\n  backend: memory\n",
    "blackboard:\n",
    "blackboard:\n  redis:\n  agent: ada\n",
    "blackboard:\n    redis:\n        url: unix:///tmp/x.sock?db=1\n",
    "blackboard:\n  redis: {}\n",
    "blackboard: # ours\n  agent: 'it is'   # who\nx:\n  - a: 1\n    b: 2\n  - a: 3\n",
    "a:\n- b: 1\n- b: 2\nblackboard:\n  timeout: 5s\n",
  ])("read alike: %j", async (text) => {
    await expectAlike(text);
  });

  test("what only the parser can tell is left to it", () => {
    const hard = [
      "blackboard: {backend: memory}",
      "blackboard:\n  backend: &a memory",
      "blackboard:\n  password: 0123",
      "blackboard:\n  agent: a: b",
      "blackboard:\n  agent: ab\n    cd: e",
      "blackboard:\n\tagent: a",
      "blackboard:\n  agnet: a",
      "blackboard:\n  agent: a\n  agent: b",
      "blackboard:\n  redis: x",
      "blackboard:\n  agent: True",
      'blackboard:\n  agent: "\\x41"',
      "blackboard:\n  agent: a\r\n",
      "blackboard:\n  agent: |\n    a",
      "---\nblackboard:\n  agent: a",
      "blackboard:\n  agent: a\nblackboard:\n  agent: b",
      "  blackboard:\n    agent: a\nx: y",
    ];
    expect(hard.filter((text) => readSimply(text) !== null)).toEqual([]);
  });

  test("10,000 random files are read alike or left to the parser", async () => {
    let simple = 0;
    const random = randomOf(7);
    for (let round = 0; round < 10_000; round++) if (await expectAlike(randomFile(random))) simple++;
    expect(simple).toBeGreaterThan(400);
  }, 60_000);
});

const CONTRACT = `blackboard:
  enabled: true
  backend: auto
  redis: { url: redis://localhost:6379/0, password: "" }
  keyspace_prefix: timmy
  ttl_seconds: 3600            # null or 0: keys do not expire
  fallback_to_memory: true
  memory: { path: null, durability: normal }
  history: { messages_per_channel: 1000, changes: 10000, max_age: 7d }
  agent: null                  # who writes; else $TIMMY_BB_AGENT, else user@host
`;

const NAMES = [
  "blackboard",
  "blackboard",
  "redis",
  "memory",
  "agent",
  "url",
  "path",
  "timeout",
  "x-y",
  "true",
  "redis.url",
];
const VALUES = [
  "",
  "",
  " a",
  " 1",
  " 01",
  " 7d",
  " null",
  " ~",
  " True",
  ' "b c"',
  " 'd'",
  " {}",
  " { url: a }",
  " { url: a, }",
  " {url: a}",
]
  .concat([
    " # c",
    " a # c",
    " a#c",
    " a:b",
    " a: b",
    " a:",
    " [1]",
    " -",
    " - a",
    " a b",
    " @",
    " *a",
    " !t a",
    " 1e3",
    " .5",
    " /a/b",
    " a,b",
  ])
  .concat([' "', " 'it''s'", " %", " a  ", " >", " 0x1f", " 1_000", " 2024-01-01", " no", " <<"]);
const STARTS = ["", "", "", "  ", "  ", "  ", "    ", "   ", "- ", "  - ", "    - ", "-", "\t", " "];

function randomFile(random: (below: number) => number): string {
  const plain = random(2) === 0; // half of them of what is mostly simple
  const pick = (from: readonly string[]) =>
    from[random(plain ? Math.min(from.length, 9) : from.length)] ?? "";
  const line = () =>
    random(12) === 0
      ? pick(["", "# c", "  # c", "---", "...", "a"])
      : `${pick(STARTS)}${pick(NAMES)}:${pick(VALUES)}`;
  const lines = Array.from({ length: 1 + random(6) }, line);
  if (random(2) === 0) lines.unshift("blackboard:");
  return lines.join("\n") + pick(["", "\n"]);
}
