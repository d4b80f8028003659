import type { Blackboard } from "../../blackboard.ts";
import { usageError } from "../../core/errors.ts";
import type { Command } from "../command.ts";
import { IF_VALUE_OPTIONS, ifValueOf, refusedCondition } from "../conditions.ts";
import { atOnceFor } from "../one-step.ts";

export const del: Command = {
  name: "del",
  summary: "delete keys",
  promise:
    "Deletes the keys and prints how many there were. Deleting what is not there is not an error. " +
    "With a condition, one key is deleted only if the condition holds at that very moment; else it exits 5 and names the present value's author on stderr.",
  args: [{ usage: "<keys...>", about: "the keys" }],
  options: IF_VALUE_OPTIONS,
  examples: [
    {
      about: "delete two keys",
      shell: "timmy-bb set a 1; timmy-bb set b 2; timmy-bb del a b",
      prints: "2\n",
    },
    { about: "nothing there is fine", shell: "timmy-bb del a", prints: "0\n" },
    {
      about: "give back what is mine, not what is somebody else's by now",
      shell: "timmy-bb set task:7 agent-2; timmy-bb del task:7 --if-value agent-1 || echo $?",
      prints: "5\n",
    },
  ],
  atOnce: (given) => atOnceFor(given.rest("keys")),
  async run(context, given) {
    const [first = "", ...others] = given.rest("keys");
    const [condition] = given.present("ifValue", "ifValueFile");
    if (condition !== undefined && others.length > 0) throw usageError(`${condition} is for one key`);
    const value = await ifValueOf(given, context.input);
    const board = await context.board();
    const deleted =
      value === undefined ? await board.del([first, ...others]) : await deleteIf(board, first, value);
    return { rows: [{ cells: [String(deleted)], json: { deleted } }] };
  },
};

/** @throws BlackboardError `conflict` */
async function deleteIf(board: Blackboard, key: string, value: Uint8Array): Promise<number> {
  const result = await board.deleteIf(key, value);
  if (!result.done) throw refusedCondition("not deleted", result);
  return 1;
}
