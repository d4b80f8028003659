import type { Blackboard } from "../../blackboard.ts";
import type { Change, Gap } from "../../core/types.ts";
import type { HistoryOptions } from "../../core/watch-options.ts";
import type { Command, Context, Row } from "../command.ts";
import { changeJson, valueCells } from "../following/changes.ts";
import { parseSince } from "../following/since.ts";
import { describeGap, gapRow } from "../following/telling.ts";
import type { Given } from "../given.ts";

export const history: Command = {
  name: "history",
  summary: "show who changed a key, when, and what it was",
  promise:
    "Prints the retained changes of a key, the oldest first: time (UTC), event (set, del or expired), author (- for an expiry) and, of set, the value, separated by TAB " +
    "(line breaks in it as \\n; a value over 64 KiB only if it is still there). Nothing retained: exit 1. " +
    "What other clients of redis did is in no log. With --since, what retention has dropped since then is told.",
  args: [{ usage: "<key>", about: "the key" }],
  options: [
    { flags: "--last <n>", about: "the newest n only" },
    {
      flags: "--since <when>",
      about:
        "only behind an id, since so long ago (10m), or since a time (2026-11-22, 2026-11-22T14:00:00Z; local without zone)",
    },
  ],
  examples: [
    {
      about: "who wrote what",
      shell:
        "timmy-bb set plan draft --agent ada; timmy-bb set plan final --agent ben; timmy-bb history plan | cut -f 2-",
      prints: "set\tada\tdraft\nset\tben\tfinal\n",
    },
    {
      about: "the value before the last one",
      shell: "timmy-bb history plan --last 2 | head -1 | cut -f 4",
      prints: "draft\n",
    },
    {
      about: "for a program",
      shell: 'timmy-bb history plan --since 10m --json | grep -c \'"by":"ada"\'',
      prints: "1\n",
    },
  ],
  async run(context, given) {
    const options = optionsOf(given);
    const found = await inOrder(await context.board(), given.arg("key"), options, context);
    const isEmpty = found.every((row) => row.cells.length === 0);
    return { rows: found, exit: isEmpty ? "absent" : "done", heads: ["TIME", "EVENT", "BY", "VALUE"] };
  },
};

function optionsOf(given: Given): HistoryOptions {
  given.exclusive("last", "since");
  const last = given.count("last", 1);
  const since = given.text("since");
  return {
    ...(last === undefined ? {} : { last }),
    ...(since === undefined ? {} : { since: parseSince(since) }),
  };
}

/** The changes, and with `--json` the gaps in their places. */
async function inOrder(board: Blackboard, key: string, options: HistoryOptions, context: Context) {
  const { signal, json } = context;
  const rows: Row[] = [];
  const onGap = (gap: Gap["gap"]) =>
    json ? void rows.push(gapRow({ gap })) : context.notice(describeGap(gap));
  for await (const change of board.history(key, { ...options, signal, onGap })) rows.push(rowOf(change));
  return rows;
}

function rowOf(change: Change): Row {
  const { at, event, by } = change;
  return {
    cells: [new Date(at).toISOString(), event, by ?? "-", ...valueCells(change)],
    json: changeJson(change),
  };
}
