import { encodeName } from "../../core/names.ts";
import type { Command } from "../command.ts";
import { jsonBytes, jsonName } from "../json.ts";

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
  async run(context, given) {
    const key = given.arg("key");
    const board = await context.board();
    const fallback = given.text("default");
    const value = (await board.get(key)) ?? (fallback === undefined ? null : encodeName(fallback));
    if (value === null) return { exit: "absent" };
    const raw = given.flag("raw");
    const json = { ...jsonName("key", key), ...jsonBytes("value", value) };
    return { rows: [{ cells: [value], json, end: raw ? "" : "\n" }], raw };
  },
};
