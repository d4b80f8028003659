import type { Command } from "../command.ts";
import { changeRow } from "../following/changes.ts";
import { changesOf } from "../following/feed.ts";
import { commandOptions, consumerOptions, selectionOptions, wantedOf } from "../following/options.ts";
import { run } from "../following/run.ts";
import { CHANGES } from "../following/words.ts";

export const watch: Command = {
  name: "watch",
  summary: "wait for changes of keys, follow or replay them, run a command for each",
  promise:
    "Waits for the next change of the keys, prints it and exits; with --follow it goes on until stopped, with --count until so many have come. " +
    "--last and --since begin with what is retained, --initial with the values that are there (as set), and alone print that and exit. " +
    "A change is one line: the event (set, del or expired), the key and, of set, the value, separated by TAB (line breaks in it as \\n). " +
    "A value over 64 KiB is fetched, so it is empty if the key was written again or deleted meanwhile; --json tells. " +
    "On redis other clients' changes are seen as well, where the server tells of them; else it says so once on stderr. " +
    "Flushing, reconnecting, gaps and --consumer are as with subscribe; a consumer has one position for the changes of all keys, and its workers the same patterns. " +
    "With -- CMD a command is run for each change: the value on its standard input (nothing for del and expired), and TIMMY_BB_EVENT, _KEY, _SIZE, _ID, _BY, _AT " +
    "(with a consumer _ATTEMPT, for a value that was there _INITIAL=1) in its environment. Its failures, its exit and signals are as with subscribe; what a consumer gives up goes to the channel KEY:failed.",
  args: [
    { usage: "<patterns...>", about: "keys, or Redis globs: * ? [a-z] and \\ to escape (a first - too)" },
  ],
  options: [
    ...selectionOptions(CHANGES),
    { flags: "--initial", about: "begin with the values that are there; alone: print them and exit" },
    ...consumerOptions(CHANGES),
    ...commandOptions(CHANGES),
  ],
  takesCommand: "perhaps",
  examples: [
    {
      about: "wait at most a second for somebody to write",
      shell: "timmy-bb watch 'task:*' --wait 1s || echo $?",
      prints: "3\n",
    },
    {
      about: "what is there, and then what changes",
      shell:
        'timmy-bb set task:1 open; timmy-bb watch "task:*" --initial --count 2 > seen & until [ -s seen ]; do :; done; timmy-bb set task:2 open; wait; cat seen',
      prints: "set\ttask:1\topen\nset\ttask:2\topen\n",
    },
    {
      about: "what was changed before, the newest, or in the last ten minutes",
      shell: "timmy-bb del task:1; timmy-bb watch task:1 --last 1; timmy-bb watch '*' --since 10m",
      prints: "1\ndel\ttask:1\nset\ttask:1\topen\nset\ttask:2\topen\ndel\ttask:1\n",
    },
    {
      about: "read on where the last call stopped",
      shell:
        "timmy-bb watch 'task:*' --consumer planner; timmy-bb watch 'task:*' --consumer planner --count 2",
      prints: "set\ttask:1\topen\nset\ttask:2\topen\ndel\ttask:1\n",
    },
    {
      about: "a command for each change",
      shell: "timmy-bb watch 'task:*' --last 2 -- sh -c 'echo \"$TIMMY_BB_KEY: $TIMMY_BB_EVENT $(cat)\"'",
      prints: "task:2: set open\ntask:1: del \n",
    },
  ],
  waits: () => true,
  async run(context, given) {
    const wanted = wantedOf(given);
    const open = changesOf(given.rest("patterns"));
    return run(context, wanted, { words: CHANGES, open, rowOf: changeRow });
  },
};
