/** A message as a record, as a command gets it, and what is said about messages that are missing. */

import { formatDuration } from "../../core/duration.ts";
import { isPattern } from "../../core/glob.ts";
import { encodeName } from "../../core/names.ts";
import type { FollowState, Gap, Message } from "../../core/types.ts";
import type { Row } from "../command.ts";
import { jsonBytes, jsonName } from "../json.ts";
import { oneLine, oneLineBytes } from "../terminal.ts";
import type { Taken } from "./feed.ts";

export function rowMaker(channels: readonly string[], raw: boolean): (message: Message) => Row {
  const single = channels.length === 1 && !channels.some(isPattern);
  return (message) => ({
    cells: single || raw ? [message.payload] : [oneLine(message.channel), oneLineBytes(message.payload)],
    json: jsonOf(message),
    end: raw ? "" : "\n",
  });
}

function jsonOf({ channel, payload, id, by, at, failure }: Message): Row["json"] {
  const why = failure === null ? {} : { failure: { ...failure, ...jsonName("channel", failure.channel) } };
  return { ...jsonName("channel", channel), ...jsonBytes("payload", payload), id, by, at, ...why };
}

/** Only ever written as JSON: in the plain form a notice says it. */
export function gapRow({ gap: { channel, after, next } }: Gap): Row {
  return { cells: [], json: { gap: { ...jsonName("channel", channel), after, next } } };
}

/** What a command learns of its message beside the payload. `undefined`: nothing, not even what was inherited. */
export function variablesOf({ message, attempt }: Taken): Record<string, string | undefined> {
  const { channel, id, by, at, failure } = message;
  return {
    TIMMY_BB_CHANNEL: asVariable(channel),
    TIMMY_BB_ID: id ?? "",
    TIMMY_BB_BY: asVariable(by ?? ""),
    TIMMY_BB_AT: String(at),
    TIMMY_BB_ATTEMPT: attempt === null ? undefined : String(attempt),
    TIMMY_BB_FAILURE_REASON: failure === null ? undefined : asVariable(failure.reason),
  };
}

/** No variable can hold NUL, and Node passes UTF-8 only; foreign clients' channels may have either. */
function asVariable(text: string): string {
  return encodeName(text).toString("utf8").replaceAll("\0", "\ufffd");
}

/** For notices. */
export function labelOf({ channel, id }: Message): string {
  return id === null ? oneLine(channel) : `${oneLine(channel)} ${id}`;
}

export function describeGap({ channel, after, next }: Gap["gap"]): string {
  const where = next === null ? "nothing is left" : `going on at ${next}`;
  return `messages of ${oneLine(channel)} after ${after} were dropped by retention; ${where}`;
}

export function describeState(state: FollowState): string {
  if (state.state === "waiting") return describeWait(state.held, state.atMostMs);
  if (state.state === "away") return `${state.store} is away (${state.reason}); trying to reconnect`;
  return `reconnected after ${(state.awayMs / 1000).toFixed(1)}s, ${state.recovered} messages recovered`;
}

function describeWait(held: number, atMostMs: number): string {
  const messages = held === 1 ? "1 message" : `${held} messages`;
  const wait = formatDuration(atMostMs < 1000 ? atMostMs : Math.ceil(atMostMs / 1000) * 1000);
  return `waiting for ${messages} that a lost worker holds, at most ${wait}`;
}
