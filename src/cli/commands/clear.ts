import type { Blackboard } from "../../blackboard.ts";
import { usageError } from "../../core/errors.ts";
import type { Command, Context } from "../command.ts";
import type { Given } from "../given.ts";

export const clear: Command = {
  name: "clear",
  summary: "delete the keys that match",
  promise:
    "Deletes the matching keys of this prefix and prints how many went. Other prefixes and messages stay. " +
    "On a terminal it asks first; without one it goes ahead, except that an empty prefix (which is the whole database) always needs --yes.",
  args: [{ usage: "[pattern]", about: "a Redis glob; default: *" }],
  options: [
    { flags: "--dry-run", about: "print how many would go, delete nothing; keys PATTERN lists them" },
    {
      flags: "--older-than <duration>",
      about: "only keys not written for so long; never a foreign client's",
    },
    { flags: "--max <n>", about: "delete nothing and exit 5 if more than so many match" },
    { flags: "-y, --yes", about: "do not ask" },
  ],
  examples: [
    {
      about: "clear a namespace",
      shell: "timmy-bb set job:1 a; timmy-bb set job:2 b; timmy-bb clear 'job:*' --yes",
      prints: "2\n",
    },
    {
      about: "from cron: what nobody has written for a day, and never more than expected",
      shell: "timmy-bb clear --older-than 1d --max 1000",
      prints: "0\n",
    },
    { about: "look first", shell: "timmy-bb clear --dry-run", prints: "0\n" },
  ],
  async run(context, given) {
    const pattern = given.optionalArg("pattern") ?? "*";
    const unwrittenForMs = given.duration("olderThan");
    const max = given.count("max", 0);
    const dryRun = given.flag("dryRun");
    const board = await context.board();
    const options = {
      dryRun,
      ...(unwrittenForMs === undefined ? {} : { unwrittenForMs }),
      ...(max === undefined ? {} : { max }),
    };
    if (!dryRun && !(await isAllowed(context, given, board, pattern, unwrittenForMs))) {
      throw usageError("not confirmed, so nothing was deleted");
    }
    const deleted = await board.clear(pattern, options);
    return { rows: [{ cells: [String(deleted)], json: dryRun ? { would_delete: deleted } : { deleted } }] };
  },
};

async function isAllowed(
  context: Context,
  given: Given,
  board: Blackboard,
  pattern: string,
  unwrittenForMs: number | undefined,
): Promise<boolean> {
  if (given.flag("yes")) return true;
  const { prefix } = context.loaded.settings;
  if (!context.canAsk) {
    if (prefix !== "") return true;
    throw usageError("the prefix is empty, so this would clear the whole database", "--yes if that is meant");
  }
  const age = unwrittenForMs === undefined ? {} : { unwrittenForMs };
  const count = await board.clear(pattern, { dryRun: true, ...age });
  if (count === 0) return true;
  return context.confirm(
    `delete ${count} keys of ${prefix === "" ? "the whole database" : `prefix ${prefix}`}?`,
  );
}
