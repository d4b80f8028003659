import type { Command } from "../command.ts";
import { atOnceFor } from "../one-step.ts";

export const exists: Command = {
  name: "exists",
  summary: "tell whether keys exist",
  promise: "Prints how many of the keys exist. Exits 0 if all of them do, else 1.",
  args: [{ usage: "<keys...>", about: "the keys" }],
  options: [],
  examples: [
    {
      about: "branch on a key",
      shell: "timmy-bb set ready yes; timmy-bb exists ready && echo go",
      prints: "1\ngo\n",
    },
    {
      about: "all of several",
      shell: "timmy-bb exists ready steady || echo not yet",
      prints: "1\nnot yet\n",
    },
  ],
  atOnce: (given) => atOnceFor(given.rest("keys")),
  async run(context, given) {
    const names = given.rest("keys");
    const board = await context.board();
    const existing = await board.exists(names);
    return {
      exit: existing === names.length ? "done" : "absent",
      rows: [{ cells: [String(existing)], json: { existing, asked: names.length } }],
    };
  },
};
