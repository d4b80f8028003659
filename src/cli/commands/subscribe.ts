import type { Command } from "../command.ts";
import { messagesOf } from "../following/feed.ts";
import { messageRows } from "../following/messages.ts";
import { commandOptions, consumerOptions, selectionOptions, wantedOf } from "../following/options.ts";
import { run } from "../following/run.ts";
import { MESSAGES } from "../following/words.ts";

export const subscribe: Command = {
  name: "subscribe",
  summary: "wait for messages, follow or replay channels, run a command for each",
  promise:
    "Waits for the next message of the channels, prints it and exits; with --follow it goes on until stopped, with --count until so many have come. " +
    "--last and --since begin with what is retained, and alone print that and exit. " +
    "One channel by its name: the payload as it is and a line break. Several, or a pattern: channel, TAB, payload, on one line (line breaks in it as \\n). " +
    "Each record is flushed. While the store is away it says so on stderr, comes back by itself and prints what it missed; what retention has dropped is told, " +
    "with --json in its place among the messages. " +
    "With --consumer the position is kept in the store: the next to come with that name goes on there, and several at once share the messages. " +
    "A message is acknowledged when its record is flushed, or its command has exited 0; else another worker gets it. " +
    "With -- CMD a command is run for each message instead of printing it: without a shell, the payload on its standard input, and TIMMY_BB_CHANNEL, _ID, _BY, _AT " +
    "(with a consumer _ATTEMPT, for a failed message _FAILURE_REASON) in its environment, passwords not. The exit is the status of the last command that failed, 128 and the signal if one " +
    "killed it; 127 if there is no such command, 126 if it cannot be run. " +
    "A consumer's failing command is run again after 200ms, 800ms, … (at most 10s), as often as --retries says. " +
    "Told to stop, it passes the signal on to the running commands and gives them 10s.",
  args: [
    {
      usage: "<channels...>",
      about: "channels, or Redis globs: * ? [a-z] and \\ to escape (a first - too)",
    },
  ],
  options: [
    ...selectionOptions(MESSAGES),
    { flags: "--raw", about: "payloads byte for byte, nothing added, nothing escaped on a terminal" },
    ...consumerOptions(MESSAGES),
    ...commandOptions(MESSAGES),
  ],
  takesCommand: "perhaps",
  examples: [
    {
      about: "wait at most a second for an answer",
      shell: "timmy-bb subscribe answers --wait 1s || echo $?",
      prints: "3\n",
    },
    {
      about: "hear the next message of a channel",
      shell:
        'timmy-bb subscribe jobs --wait 20s > heard & until [ "$(timmy-bb publish jobs build)" = 1 ]; do :; done; wait; cat heard',
      prints: "build\n",
    },
    {
      about: "what was said before, the newest, or of the last ten minutes",
      shell:
        "printf 'one\\ntwo\\n' | timmy-bb publish log --lines > sent; timmy-bb subscribe log --last 1; timmy-bb subscribe log --since 10m",
      prints: "two\none\ntwo\n",
    },
    {
      about: "read on where the last call stopped",
      shell: "timmy-bb subscribe log --consumer reader; timmy-bb subscribe log --consumer reader",
      prints: "one\ntwo\n",
    },
    {
      about: "a command for each message",
      shell: "timmy-bb subscribe log --last 2 -- sh -c 'echo \"$TIMMY_BB_CHANNEL: $(cat)\"'",
      prints: "log: one\nlog: two\n",
    },
    {
      about: "work off a queue, any number of these at once; what fails twice goes to log:failed",
      shell:
        "timmy-bb subscribe log --consumer builders --count 1 --retries 1 --exec-timeout 10m -- false || echo $?; timmy-bb subscribe log:failed --last 1",
      prints: "1\none\n",
    },
    {
      about: "follow everything for a while",
      shell: "timmy-bb subscribe '*' --follow --wait 500ms || test $? = 3",
      prints: "",
    },
  ],
  waits: () => true,
  async run(context, given) {
    const wanted = wantedOf(given);
    const channels = given.rest("channels");
    const raw = given.flag("raw");
    const source = { words: MESSAGES, open: messagesOf(channels), rowOf: messageRows(channels, raw) };
    return { ...(await run(context, wanted, source)), raw };
  },
};
