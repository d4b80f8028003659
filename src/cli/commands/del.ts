import type { Command } from "../command.ts";

export const del: Command = {
  name: "del",
  summary: "delete keys",
  promise: "Deletes the keys and prints how many there were. Deleting what is not there is not an error.",
  args: [{ usage: "<keys...>", about: "the keys" }],
  options: [],
  examples: [
    {
      about: "delete two keys",
      shell: "timmy-bb set a 1; timmy-bb set b 2; timmy-bb del a b",
      prints: "2\n",
    },
    { about: "nothing there is fine", shell: "timmy-bb del a", prints: "0\n" },
  ],
  async run(context, given) {
    const board = await context.board();
    const deleted = await board.del(given.rest("keys"));
    return { rows: [{ cells: [String(deleted)], json: { deleted } }] };
  },
};
