import type { Blackboard } from "../../blackboard.ts";
import { encodeName } from "../../core/names.ts";
import type { Command, Row } from "../command.ts";
import { plainValue, readingJson } from "../readings.ts";

export const get: Command = {
  name: "get",
  summary: "print a value",
  promise:
    "Prints the value and one line break. An absent key exits 1 and prints nothing, so that it can be told from an empty value.",
  args: [{ usage: "<key>", about: "the key" }],
  options: [
    { flags: "--raw", about: "the exact bytes, no line break added, nothing escaped on a terminal" },
    { flags: "--default <value>", about: "print this, and exit 0, if the key is absent" },
  ],
  examples: [
    { about: "read a value", shell: "timmy-bb set plan 'ship it' && timmy-bb get plan", prints: "ship it\n" },
    {
      about: "tell an absent key from an empty value",
      shell: "timmy-bb get nothing-here || echo absent",
      prints: "absent\n",
    },
    { about: "fall back to a default", shell: "timmy-bb get mode --default idle", prints: "idle\n" },
    {
      about: "copy a value byte for byte",
      shell: "timmy-bb get plan --raw > plan.txt && cat plan.txt",
      prints: "ship it",
    },
  ],
  atOnce: 64,
  async run(context, given) {
    const key = given.arg("key");
    const board = await context.board();
    const found = context.json ? await known(board, key) : await plain(board, key);
    const row = found ?? fallbackOf(key, given.text("default"));
    if (row === null) return { exit: "absent" };
    const raw = given.flag("raw");
    return { rows: [{ ...row, end: raw ? "" : "\n" }], raw };
  },
};

/** The quickest there is. */
async function plain(board: Blackboard, key: string): Promise<Row | null> {
  const value = await board.get(key);
  return value && { cells: [value], json: {} };
}

async function known(board: Blackboard, key: string): Promise<Row | null> {
  const reading = await board.read(key);
  return reading && { cells: [], json: readingJson(key, plainValue(reading), reading) };
}

function fallbackOf(key: string, text: string | undefined): Row | null {
  if (text === undefined) return null;
  const value = encodeName(text);
  return { cells: [value], json: readingJson(key, value) };
}
