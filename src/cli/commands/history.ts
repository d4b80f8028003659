import type { Change, Gap } from "../../core/types.ts";
import type { HistoryOptions } from "../../core/watch-options.ts";
import type { Command, Row } from "../command.ts";
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
    const board = await context.board();
    const gaps: Gap[] = [];
    const onGap = (gap: Gap["gap"]) =>
      context.json ? void gaps.push({ gap }) : context.notice(describeGap(gap));
    const { signal } = context;
    const rows = new Rows(board.history(given.arg("key"), { ...options, signal, onGap }), gaps);
    return { rows, exit: () => (rows.isAny ? "done" : "absent"), heads: ["TIME", "EVENT", "BY", "VALUE"] };
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

/** The changes as they come, and the gaps that are told of meanwhile in their places. */
class Rows implements AsyncIterable<Row> {
  /** Whether there was a change. */
  isAny = false;
  readonly #changes: AsyncIterable<Change>;
  readonly #gaps: Gap[];

  constructor(changes: AsyncIterable<Change>, gaps: Gap[]) {
    this.#changes = changes;
    this.#gaps = gaps;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Row> {
    for await (const change of this.#changes) {
      this.isAny = true;
      yield* this.#gaps.splice(0).map(gapRow);
      yield rowOf(change);
    }
    yield* this.#gaps.splice(0).map(gapRow);
  }
}

function rowOf(change: Change): Row {
  const { at, event, by } = change;
  return {
    cells: [new Date(at).toISOString(), event, by ?? "-", ...valueCells(change)],
    json: changeJson(change),
  };
}
