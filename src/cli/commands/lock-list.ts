import type { LockFacts } from "../../core/lock.ts";
import { compareNames } from "../../core/names.ts";
import type { Command, Row } from "../command.ts";
import { HOLDER_HEADS, holderCells, lockRow } from "../locking/holders.ts";
import { oneCell } from "../terminal.ts";

export const lockList: Command = {
  name: "lock list",
  summary: "list the locks that are held",
  promise:
    "Prints a line for each holder, by the locks' names, then the oldest first: lock, and what lock show prints, separated by TAB. " +
    "With --json an object a lock, also of one that is only waited for.",
  args: [],
  options: [],
  examples: [
    {
      about: "which locks are held",
      shell: "timmy-bb lock run nightly -- timmy-bb lock list | cut -f 1",
      prints: "nightly\n",
    },
  ],
  async run(context) {
    const board = await context.board();
    const found = [...(await board.locks.list())].sort((left, right) => compareNames(left.lock, right.lock));
    if (context.json) return { rows: found.map(lockRow) };
    return { rows: found.flatMap(holderRows), heads: ["LOCK", ...HOLDER_HEADS] };
  },
};

function holderRows({ lock, holders }: LockFacts): Row[] {
  return holders.map((one) => ({ cells: [oneCell(lock), ...holderCells(one)], json: {} }));
}
