/** Reading what the command answered, strictly: exits, errors, and each kind of record. */
import type { ErrorKind } from "../../src/core/errors.ts";
import { compareNames, decodeName, encodeName } from "../../src/core/names.ts";
import type {
  Change,
  ChangeEvent,
  ChannelFacts,
  ConsumerFacts,
  Gap,
  KeyFacts,
  Message,
  Failure as MessageFailure,
} from "../../src/core/types.ts";
import type { Ended } from "../helpers/processes.ts";
import { Failure, type Known } from "./driver.ts";
import {
  bytesIn,
  bytesOrNull,
  nameIn,
  numberIn,
  numberOrNull,
  parseLines,
  type Row,
  rowIn,
  rowsIn,
  textIn,
  textOrNull,
} from "./rows.ts";

/** The contract's exit codes, written out: a change of the program's own table must not pass unseen. */
export const EXIT_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  usage: 2,
  config: 2,
  timeout: 3,
  unavailable: 4,
  unknown: 4,
  conflict: 5,
  internal: 70,
};
const DONE = 0;
const ABSENT = 1;
export interface Answer {
  readonly exit: "done" | "absent";
  readonly rows: Row[];
  readonly told: string;
}

/** @throws Failure for every exit that is an error */
export function answerOf(ended: Ended): Answer {
  const { stdout, stderr, exitCode } = ended;
  if (exitCode !== DONE && exitCode !== ABSENT) throw failureIn(ended);
  if (stderr !== "") throw new Error(`exit ${exitCode}, but stderr says: ${stderr}`);
  const exit = exitCode === DONE ? "done" : "absent";
  return { exit, rows: parseLines(stdout), told: stdout.toString("utf8") };
}

/** For a call that may tell that its store was away: the same without notices. */
export function withoutNotices(ended: Ended): Ended {
  const rows = parseLines(Buffer.from(ended.stderr)).filter(({ notice }) => typeof notice !== "string");
  return { ...ended, stderr: rows.map((row) => `${JSON.stringify(row)}\n`).join("") };
}

/** The error on stderr: one line, its kind leading to the very exit. */
export function failureIn({ stdout, stderr, exitCode, signal }: Ended): Failure {
  if (exitCode === null) throw new Error(`killed by ${signal}: ${stderr}`);
  const [row, ...more] = parseLines(Buffer.from(stderr));
  const error = row?.error as
    | { kind?: ErrorKind; message?: string; hint?: unknown; exit?: number }
    | undefined;
  if (error?.kind === undefined || typeof error.message !== "string" || more.length > 0) {
    throw new Error(`exit ${exitCode} without one JSON error: ${stderr}`);
  }
  const expected = EXIT_OF_KIND[error.kind];
  if (exitCode !== expected || error.exit !== expected) {
    throw new Error(`${error.kind} should exit ${expected}, but exited ${exitCode} saying ${error.exit}`);
  }
  if (error.hint !== null && typeof error.hint !== "string")
    throw new Error("the hint is neither text nor null");
  return new Failure(error.kind, error.message, `${stderr}\n${stdout.toString("utf8")}`);
}

export function one(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw new Error(`${rows.length} records instead of one`);
  return row;
}

export function none<Value>(rows: readonly Row[], value: Value): Value {
  if (rows.length > 0) throw new Error("a record although nothing is there");
  return value;
}

export function sameName(row: Row, field: string, name: string): true {
  if (nameIn(row, field) === decodeName(encodeName(name))) return true;
  throw new Error(`the answer is about another ${field}`);
}

export function inOrder(names: string[]): string[] {
  for (const [index, name] of names.entries()) {
    if (index > 0 && compareNames(names[index - 1] ?? "", name) > 0) throw new Error("not in byte order");
  }
  return names;
}

export function factsIn(row: Row): KeyFacts {
  return {
    key: nameIn(row, "key"),
    id: textOrNull(row, "id"),
    ttlMs: numberOrNull(row, "ttl_ms"),
    size: numberOrNull(row, "size"),
    by: textOrNull(row, "by"),
    at: numberOrNull(row, "at"),
    ageMs: numberOrNull(row, "age_ms"),
  };
}

export function channelFactsIn(row: Row): ChannelFacts {
  return {
    channel: nameIn(row, "channel"),
    messages: numberIn(row, "messages"),
    followers: numberIn(row, "followers"),
    lastId: textOrNull(row, "last_id"),
  };
}

/** A record of `subscribe`. */
export function itemIn(row: Row): Message | Gap {
  return row.gap === undefined ? messageIn(row) : { gap: gapIn(rowIn(row, "gap")) };
}

function messageIn(row: Row): Message {
  return {
    channel: nameIn(row, "channel"),
    payload: bytesIn(row, "payload"),
    id: textOrNull(row, "id"),
    by: textOrNull(row, "by"),
    at: numberIn(row, "at"),
    failure: row.failure === undefined ? null : failureOfMessageIn(rowIn(row, "failure")),
  };
}

/** A record of `watch`, or of `history`. */
export function changeItemIn(row: Row): Change | Gap {
  if (row.gap === undefined) return changeIn(row);
  const gap = rowIn(row, "gap");
  if ("channel" in gap) throw new Error("a gap of changes tells a channel");
  return { gap: { channel: null, after: textIn(gap, "after"), next: textOrNull(gap, "next") } };
}

function changeIn(row: Row): Change {
  if (row.initial !== undefined && row.initial !== true) throw new Error("initial is not true");
  return {
    event: eventIn(row),
    key: nameIn(row, "key"),
    value: bytesOrNull(row, "value"),
    size: numberOrNull(row, "size"),
    id: textOrNull(row, "id"),
    by: textOrNull(row, "by"),
    at: numberIn(row, "at"),
    isInitial: row.initial === true,
  };
}

function eventIn(row: Row): ChangeEvent {
  const event = textIn(row, "event");
  if (event === "set" || event === "del" || event === "expired") return event;
  throw new Error(`no event: ${event}`);
}

/** A record of `get`, or of `wait`; of an absent key there is its name and no value. */
export function knownIn(row: Row): Known | null {
  if (row.value === null && row.id === undefined) return null;
  return {
    key: nameIn(row, "key"),
    value: bytesOrNull(row, "value"),
    id: textOrNull(row, "id"),
    by: textOrNull(row, "by"),
    at: numberOrNull(row, "at"),
    ttlMs: numberOrNull(row, "ttl_ms"),
  };
}

function gapIn(row: Row): Gap["gap"] {
  return { channel: nameIn(row, "channel"), after: textIn(row, "after"), next: textOrNull(row, "next") };
}

/** Of a message it tells the channel, of a change the key and the event. */
function failureOfMessageIn(row: Row): MessageFailure {
  const isOfChange = row.event !== undefined;
  if (isOfChange && "channel" in row) throw new Error("a failure of a change tells a channel");
  return {
    channel: isOfChange ? null : nameIn(row, "channel"),
    key: isOfChange ? nameIn(row, "key") : null,
    event: isOfChange ? eventIn(row) : null,
    id: textIn(row, "id"),
    by: textOrNull(row, "by"),
    consumer: textIn(row, "consumer"),
    attempts: numberIn(row, "attempts"),
    reason: textIn(row, "reason"),
  };
}

/** The record of `consumers show`. */
export function consumerIn(row: Row): ConsumerFacts {
  return {
    consumer: textIn(row, "consumer"),
    channels: rowsIn(row, "channels").map((one) => ({
      channel: one.channel === null ? null : nameIn(one, "channel"),
      position: textIn(one, "position"),
      pending: numberIn(one, "pending"),
      lag: numberIn(one, "lag"),
    })),
    workers: rowsIn(row, "workers").map((one) => ({
      worker: textIn(one, "worker"),
      pending: numberIn(one, "pending"),
      isAlive: one.alive === true,
    })),
  };
}

export function publishedIn(row: Row) {
  return { receivers: numberIn(row, "receivers"), id: textIn(row, "id") };
}
