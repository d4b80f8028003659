import type { Command } from "../command.ts";
import { jsonName } from "../json.ts";

export const persist: Command = {
  name: "persist",
  summary: "take a key's time to live away",
  promise: "The key will not expire. Prints nothing. An absent key exits 1.",
  args: [{ usage: "<key>", about: "the key" }],
  options: [],
  examples: [
    {
      about: "keep a result for good",
      shell: "timmy-bb set result 42 --ttl 1m; timmy-bb persist result; timmy-bb ttl result",
      prints: "-1\n",
    },
  ],
  atOnce: 1000,
  async run(context, given) {
    const key = given.arg("key");
    const board = await context.board();
    if (!(await board.persist(key))) return { exit: "absent" };
    return { rows: [{ cells: [], json: { ...jsonName("key", key), ttl_ms: null }, end: "" }] };
  },
};
