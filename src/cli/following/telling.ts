/** What is said of entries beside printing them: which one, what is missing, how the store is. */
import { formatDuration } from "../../core/duration.ts";
import { nameOf } from "../../core/entry.ts";
import type { Entry, FollowState, Gap } from "../../core/types.ts";
import type { Row } from "../command.ts";
import { jsonName } from "../json.ts";
import { oneLine } from "../terminal.ts";
import { counted, type Words } from "./words.ts";

/** For notices. */
export function labelOf(entry: Entry): string {
  const name = oneLine(nameOf(entry));
  return entry.id === null ? name : `${name} ${entry.id}`;
}

/** Only ever written as JSON: in the plain form a notice says it. */
export function gapRow({ gap: { channel, after, next } }: Gap): Row {
  const where = channel === null ? {} : jsonName("channel", channel);
  return { cells: [], json: { gap: { ...where, after, next } } };
}

export function describeGap({ channel, after, next }: Gap["gap"]): string {
  const what = channel === null ? "changes" : `messages of ${oneLine(channel)}`;
  const where = next === null ? "nothing is left" : `going on at ${next}`;
  return `${what} after ${after} were dropped by retention; ${where}`;
}

export function describeState(state: FollowState, words: Words): string {
  switch (state.state) {
    case "away":
      return `${state.store} is away (${state.reason}); trying to reconnect`;
    case "back":
      return `${describeReturn(state.awayMs)}, ${counted(state.recovered, words)} recovered`;
    case "waiting":
      return describeWait(state.held, state.atMostMs, words);
    case "partial":
      return `${state.store} does not tell of other clients' changes (${state.reason}): only those made through timmy-bb are seen`;
  }
}

export function describeReturn(awayMs: number): string {
  return `reconnected after ${(awayMs / 1000).toFixed(1)}s`;
}

function describeWait(held: number, atMostMs: number, words: Words): string {
  const wait = formatDuration(atMostMs < 1000 ? atMostMs : Math.ceil(atMostMs / 1000) * 1000);
  return `waiting for ${counted(held, words)} that a lost worker holds, at most ${wait}`;
}
