import { formatDuration } from "../../core/duration.ts";
import { BlackboardError, usageError } from "../../core/errors.ts";
import type { FollowState, Taken } from "../../core/types.ts";
import type { Command, Context, Row } from "../command.ts";
import { describeState } from "../following/telling.ts";
import { CHANGES } from "../following/words.ts";
import { waitMsOf } from "../options.ts";
import { readingJson } from "../readings.ts";
import { oneCell } from "../terminal.ts";

export const take: Command = {
  name: "take",
  summary: "read and delete the oldest key that matches: each goes to one taker",
  promise:
    "Reads and deletes, in one step, the key that has been there longest of those that match, and prints its value and one line break, as get does; --json has the key, too. " +
    "However many take at once, each key goes to one of them. Nothing there: exit 1, and nothing printed. With --wait it waits for one to appear, and exits 3 if none does. " +
    "Overwriting a key does not make it younger. Keys that only other clients of redis wrote come last. " +
    "At most once: who takes a key and dies has taken it. history KEY still has its value (up to 64 KiB); where each must be worked off at least once, use a consumer (subscribe --consumer, watch --consumer).",
  args: [
    {
      usage: "<patterns...>",
      about: "keys, or Redis globs: * ? [a-z] and \\ to escape; of all together, the oldest",
    },
  ],
  options: [
    {
      flags: "--wait <duration>",
      about: "wait for one to appear; exit 3 if none has by then; 0: if none is there now",
    },
    { flags: "--raw", about: "the exact bytes, no line break added, nothing escaped on a terminal" },
  ],
  examples: [
    {
      about: "a work queue in two words: put work in …",
      shell: 'for n in 1 2 3; do timmy-bb set tasks:$n "job $n" --no-ttl; done',
    },
    {
      about: "… and work it off, oldest first, in as many places as you like",
      shell: "while task=$(timmy-bb take 'tasks:*' --wait 100ms --quiet); do echo \"$task\"; done",
      prints: "job 1\njob 2\njob 3\n",
    },
    { about: "nothing left", shell: "timmy-bb take 'tasks:*' || echo $?", prints: "1\n" },
    {
      about: "the key as well",
      shell: "timmy-bb set inbox:ada hello; timmy-bb take 'inbox:*' --json | cut -d , -f 1,2",
      prints: '{"key":"inbox:ada","value":"hello"\n',
    },
    {
      about: "what somebody took and did not finish is still in the log",
      shell: "timmy-bb history tasks:3 --last 2 | cut -f 2,4",
      prints: "set\tjob 3\ndel\n",
    },
  ],
  waits: (given) => given.text("wait") !== undefined,
  async run(context, given) {
    const waitMs = waitMsOf(given);
    const raw = given.flag("raw");
    if (context.isOutputClosed)
      throw usageError(
        "standard output is closed or nothing, so what is taken would be lost",
        "let it go somewhere; to drop it: > /dev/null in a shell",
      );
    const taken = await takeOne(context, given.rest("patterns"), waitMs);
    if (taken !== null) return { rows: only(rowOf(taken, raw, context)), raw };
    if (waitMs === undefined) return { exit: "absent" };
    throw new BlackboardError("timeout", `timed out after ${formatDuration(waitMs)}`);
  },
};

/** What the store has handed out is brought to its end: told to stop, the program waits for the answer. */
async function takeOne(context: Context, patterns: readonly string[], waitMs = 0): Promise<Taken | null> {
  const board = await context.board();
  context.endsItself(2 * context.loaded.settings.timeoutMs);
  const onState = (state: FollowState) => context.notice(describeState(state, CHANGES));
  return board.take(patterns, { timeoutMs: waitMs, signal: context.signal, onState });
}

function rowOf({ key, value, ...facts }: Taken, raw: boolean, context: Context): Row {
  const lost = `${oneCell(key)} was taken and could not be printed; timmy-bb history may still have its value`;
  return {
    cells: [value],
    json: readingJson(key, value, facts),
    end: raw ? "" : "\n",
    written: (isOut) => isOut || context.notice(lost),
  };
}

async function* only(row: Row): AsyncGenerator<Row> {
  yield row;
}
