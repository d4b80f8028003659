import { usageError } from "../../core/errors.ts";
import { isPattern } from "../../core/glob.ts";
import { encodeName } from "../../core/names.ts";
import type { Found } from "../../core/waiting.ts";
import type { WaitForOptions } from "../../core/watch-options.ts";
import type { Command, Context, Outcome, Row } from "../command.ts";
import { messagesOf } from "../following/feed.ts";
import { messageRows } from "../following/messages.ts";
import { run } from "../following/run.ts";
import { parseSince } from "../following/since.ts";
import { describeState } from "../following/telling.ts";
import { CHANGES, MESSAGES } from "../following/words.ts";
import type { Given } from "../given.ts";
import { jsonName } from "../json.ts";
import { waitMsOf } from "../options.ts";
import { plainValue, readingJson } from "../readings.ts";
import { oneCell, oneLineBytes } from "../terminal.ts";

export const wait: Command = {
  name: "wait",
  summary: "wait until keys are there, are gone, have a value, or change; or for a message",
  promise:
    "Waits until all of the keys are there, prints their values and exits; at once, if that is so already. One key: the value and a line break, as get prints it. " +
    "Several: key, TAB, value, on one line each (line breaks in it as \\n), in the order given; a key given twice counts once. " +
    "With --any one of them is enough, and all that are so at that look are printed. A key that is absent prints nothing (with --json a value of null). " +
    "Nothing is polled, and no change can come unseen between the look and the wait. --changed waits for the next change of each from now, or with --since for one since then: " +
    "with the id that get --json gave, nothing is missed between the two calls. " +
    "--channel waits for the next message of a channel instead, and prints it as subscribe does. --wait 0 looks once: " +
    "at the keys, or at the messages retained since --since.",
  args: [{ usage: "[keys...]", about: "the keys, by their names" }],
  options: [
    { flags: "--value <value>", about: "until they have this value" },
    { flags: "--value-file <file>", about: "until they have the bytes of this file" },
    { flags: "--absent", about: "until they are absent: deleted or expired" },
    { flags: "--changed", about: "until they change" },
    {
      flags: "--since <when>",
      about:
        "with --changed or --channel: what came behind an id, since so long ago (10m) or a time counts, too",
    },
    { flags: "--any", about: "one of the keys is enough; all that are so then are printed" },
    { flags: "--all", about: "all of them at the same time (default)" },
    { flags: "--channel <channel>", about: "no keys: the next message of this channel" },
    { flags: "--wait <duration>", about: "exit 3 if it is not so by then; 0: if it is not so now" },
    { flags: "--raw", about: "the exact bytes, nothing added, nothing escaped on a terminal" },
  ],
  examples: [
    {
      about: "go on when another agent is done",
      shell: "(timmy-bb set result 'all green' &) ; timmy-bb wait result --wait 20s",
      prints: "all green\n",
    },
    { about: "is it there now?", shell: "timmy-bb wait nothing-yet --wait 0 || echo $?", prints: "3\n" },
    {
      about: "until a lock-like key is gone",
      shell: "timmy-bb set deploy:running 1 --ttl 300ms; timmy-bb wait deploy:running --absent && echo free",
      prints: "free\n",
    },
    {
      about: "what changed since it was read, with nothing missed in between",
      shell:
        'id=$(timmy-bb get result --json | sed \'s/.*"id":"\\([^"]*\\)".*/\\1/\'); timmy-bb set result red; timmy-bb wait result --changed --since "$id"',
      prints: "red\n",
    },
    {
      about: "the first of several answers",
      shell: "timmy-bb set answer:2 yes; timmy-bb wait answer:1 answer:2 --any",
      prints: "answer:2\tyes\n",
    },
    {
      about: "a message that may have been sent already",
      shell: "timmy-bb publish done 'build 42' > sent; timmy-bb wait --channel done --since 10m --wait 20s",
      prints: "build 42\n",
    },
  ],
  waits: () => true,
  async run(context, given) {
    given.exclusive("value", "valueFile", "absent", "changed", "channel");
    given.exclusive("any", "all", "channel");
    const channel = given.text("channel");
    if (channel !== undefined) return waitForMessage(channel, context, given);
    const keys = given.rest("keys");
    if (keys.length === 0) throw usageError("give the keys to wait for, or --channel");
    return waitForKeys(keys, context, given);
  },
};

async function waitForMessage(channel: string, context: Context, given: Given): Promise<Outcome> {
  if (given.rest("keys").length > 0) throw usageError("--channel goes without keys");
  const raw = given.flag("raw");
  const waitMs = waitMsOf(given);
  const start = sinceOf(given);
  // For nothing is waited: what is retained decides, and without --since none of it counts.
  const follow = waitMs === 0 ? { ...(start.since === undefined ? { last: 0 } : start), live: false } : start;
  const wanted = { consumer: null, follow, limit: 1, waitMs, command: null };
  const source = { words: MESSAGES, open: messagesOf([channel]), rowOf: messageRows([channel], raw) };
  return { ...(await run(context, wanted, source)), raw };
}

async function waitForKeys(keys: readonly string[], context: Context, given: Given): Promise<Outcome> {
  const options = await conditionOf(context, given);
  const raw = given.flag("raw");
  const glob = keys.find(isPattern);
  if (glob !== undefined) context.notice(`wait takes names, not patterns: a key named ${oneCell(glob)}`);
  const board = await context.board();
  const found = await board.wait(keys, {
    ...options,
    signal: context.signal,
    onState: (state) => context.notice(describeState(state, CHANGES)),
  });
  return { rows: found.map((one) => rowOf(one, keys.length === 1, raw)), raw };
}

async function conditionOf(context: Context, given: Given): Promise<WaitForOptions> {
  if (!given.flag("changed") && given.text("since") !== undefined)
    throw usageError("--since needs --changed or --channel");
  const timeoutMs = waitMsOf(given);
  const file = given.text("valueFile");
  const text = given.text("value");
  const value = file === undefined ? text && encodeName(text) : await context.input.file(file);
  return {
    ...(given.flag("absent") ? { until: "absent" } : {}),
    ...(given.flag("changed") ? { until: "changed" } : {}),
    ...(value === undefined ? {} : { value }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...sinceOf(given),
    any: given.flag("any"),
  };
}

function sinceOf(given: Given): Pick<WaitForOptions, "since"> {
  const since = given.text("since");
  return since === undefined ? {} : { since: parseSince(since) };
}

function rowOf({ key, reading }: Found, isOnly: boolean, raw: boolean): Row {
  if (reading === null) return { cells: [], json: { ...jsonName("key", key), value: null }, end: "" };
  const value = plainValue(reading);
  return {
    cells: isOnly || raw ? [value] : [oneCell(key), oneLineBytes(value)],
    json: readingJson(key, value, reading),
    end: raw ? "" : "\n",
  };
}
