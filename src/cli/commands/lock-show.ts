import type { Command } from "../command.ts";
import { HOLDER_HEADS, holderCells, lockRow } from "../locking/holders.ts";

export const lockShow: Command = {
  name: "lock show",
  summary: "show who holds a lock",
  promise:
    "Prints a line for each holder, the oldest first: owner, host, process id, fence, how long it has been held, how long it has left, separated by TAB. " +
    "Nobody holds it: exit 1. --json tells how many wait for it, too. The token is never shown.",
  args: [{ usage: "<name>", about: "the lock" }],
  options: [],
  examples: [
    {
      about: "who is at it?",
      shell: "timmy-bb lock run nightly --no-wait -- timmy-bb lock show nightly | wc -l",
      prints: "1\n",
    },
    { about: "nobody", shell: "timmy-bb lock show nightly || echo $?", prints: "1\n" },
  ],
  async run(context, given) {
    const board = await context.board();
    const facts = await board.locks.show(given.arg("name"));
    if (facts === null || facts.holders.length === 0) return { exit: "absent" };
    if (context.json) return { rows: [lockRow(facts)] };
    return { rows: facts.holders.map((one) => ({ cells: holderCells(one), json: {} })), heads: HOLDER_HEADS };
  },
};
