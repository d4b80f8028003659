/** The options by which `subscribe` and `watch` choose what they get and what becomes of it. */
import { type ConsumeOptions, DEFAULT_RETRIES, LEAST_ACK_TIMEOUT_MS } from "../../core/board-options.ts";
import { usageError } from "../../core/errors.ts";
import type { WatchOptions } from "../../core/watch-options.ts";
import type { Option } from "../command.ts";
import type { Given } from "../given.ts";
import { parseSince } from "./since.ts";
import type { Words } from "./words.ts";

export function selectionOptions({ entry }: Words): readonly Option[] {
  return [
    { flags: "-f, --follow", about: "go on until stopped" },
    { flags: "-n, --count <n>", about: `exit after so many ${entry}s` },
    { flags: "--wait <duration>", about: "exit 3 if what was asked for has not come by then" },
    {
      flags: "--last <n>",
      about: `begin with the newest n retained ${entry}s; alone: print them and exit`,
    },
    {
      flags: "--since <when>",
      about:
        "begin behind an id, so long ago (10m), or at a time (2026-11-22, 2026-11-22T14:00:00Z; local without zone); alone: print and exit",
    },
  ];
}

export function consumerOptions({ entry, place }: Words): readonly Option[] {
  return [
    { flags: "--consumer <name>", about: "work as one of this consumer, whose position the store keeps" },
    { flags: "--from-start", about: "a new consumer begins with what is retained (default)" },
    { flags: "--from-now", about: "a new consumer begins with what comes from now on" },
    {
      flags: "--ack-timeout <duration>",
      about: "others take over what a worker holds that shows no life for so long; default 30s",
    },
    {
      flags: "--retries <n>",
      about: `how often CMD is run again for a ${entry} before that goes to ${place.toUpperCase()}:failed; default 3`,
    },
  ];
}

export function commandOptions({ place }: Words): readonly Option[] {
  return [
    { flags: "--parallel <n>", about: "run up to n commands at once; default 1, which keeps the order" },
    {
      flags: "--on-busy <what>",
      about: `while as many as allowed run: queue what comes (default), drop it, or coalesce: keep each ${place}'s newest`,
    },
    {
      flags: "--exec-timeout <duration>",
      about: "end a command that runs longer: TERM, 5s later KILL; status 124",
    },
  ];
}

const MOST_PARALLEL = 1000;
/** Messages, or changes, a worker that only prints takes from the store at once. */
const PRINTED_AT_ONCE = 32;
const BUSY_WAYS = ["queue", "drop", "coalesce"] as const;
export type OnBusy = (typeof BUSY_WAYS)[number];

/** What was asked for. */
export interface Wanted {
  /** `null`: it is followed. */
  readonly consumer: ConsumeOptions | null;
  readonly follow: WatchOptions;
  /** How many messages, or changes; `Infinity` for all that come. */
  readonly limit: number;
  readonly waitMs: number | undefined;
  /** `null`: they are printed. */
  readonly command: CommandWanted | null;
}

export interface CommandWanted {
  /** The command and its arguments. */
  readonly words: readonly string[];
  readonly parallel: number;
  readonly onBusy: OnBusy;
  readonly timeoutMs: number | undefined;
}

/** @throws BlackboardError `usage` */
export function wantedOf(given: Given): Wanted {
  given.exclusive("follow", "count");
  const start = startOf(given);
  const count = given.count("count", 1);
  const isReplay = start !== null && count === undefined && !given.flag("follow");
  const limit = count ?? (given.flag("follow") || isReplay ? Number.POSITIVE_INFINITY : 1);
  const command = commandOf(given);
  const consumer = consumerOf(given, command, limit);
  return { consumer, follow: { ...start, live: !isReplay }, limit, waitMs: given.duration("wait"), command };
}

/** For a closed stdout: what is acknowledged as printed must be seen by somebody. @throws BlackboardError `usage` */
export function checkSeen({ consumer, command }: Wanted): void {
  if (consumer === null || command !== null) return;
  throw usageError(
    "standard output is closed or nothing, so nobody would see what is acknowledged",
    "let it go somewhere; to drop messages: > /dev/null in a shell, or -- true",
  );
}

function startOf(given: Given): Pick<WatchOptions, "last" | "since" | "initial"> | null {
  given.exclusive("last", "since", "initial");
  if (given.flag("initial")) return { initial: true };
  const last = given.count("last", 0);
  if (last !== undefined) return { last };
  const since = given.text("since");
  return since === undefined ? null : { since: parseSince(since) };
}

function consumerOf(given: Given, command: CommandWanted | null, limit: number): ConsumeOptions | null {
  const consumer = given.text("consumer");
  if (consumer === undefined) {
    needs("--consumer NAME", given.present("fromStart", "fromNow", "ackTimeout", "retries"));
    return null;
  }
  for (const other of ["last", "since", "initial"]) given.exclusive("consumer", other);
  given.exclusive("fromStart", "fromNow");
  if (command === null) needs("-- CMD", given.present("retries"));
  if (command !== null && command.onBusy !== "queue") {
    throw usageError(`--on-busy ${command.onBusy} would lose what the consumer keeps`);
  }
  const ackTimeoutMs = given.duration("ackTimeout");
  if (ackTimeoutMs !== undefined && ackTimeoutMs < LEAST_ACK_TIMEOUT_MS) {
    throw usageError(`--ack-timeout: at least ${LEAST_ACK_TIMEOUT_MS}ms`);
  }
  return {
    consumer,
    begin: given.flag("fromNow") ? "now" : "start",
    retries: command === null ? null : (given.count("retries", 0) ?? DEFAULT_RETRIES), // printing cannot fail
    prefetch: command === null ? Math.min(limit, PRINTED_AT_ONCE) : 1,
    ...(ackTimeoutMs === undefined ? {} : { ackTimeoutMs }),
  };
}

function commandOf(given: Given): CommandWanted | null {
  if (given.command.length === 0) {
    needs("-- CMD", given.present("parallel", "onBusy", "execTimeout"));
    return null;
  }
  if (given.flag("raw")) throw usageError("--raw is about printing; with -- CMD nothing is printed");
  const onBusy = BUSY_WAYS.find((way) => way === (given.text("onBusy") ?? "queue"));
  if (onBusy === undefined) throw usageError("--on-busy: must be queue, drop or coalesce");
  const parallel = given.count("parallel", 1) ?? 1;
  if (parallel > MOST_PARALLEL) throw usageError(`--parallel: at most ${MOST_PARALLEL}`);
  return { words: given.command, parallel, onBusy, timeoutMs: given.duration("execTimeout") };
}

/** @throws BlackboardError `usage` if there are such options */
function needs(what: string, present: readonly string[]): void {
  if (present[0] !== undefined) throw usageError(`${present[0]} needs ${what}`);
}
