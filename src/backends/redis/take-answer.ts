/** What the script `TAKE` answers. */
import { decodeName } from "../../core/names.ts";
import type { Gap } from "../../core/types.ts";
import { CHANGES } from "./layout.ts";
import { asBytes, asList, asNumber, asPairs, asText, type Reply } from "./replies.ts";
import type { Fields } from "./subscription.ts";
import type { Progress, Wait } from "./succession.ts";

/** An entry of a log that was handed to the worker. */
export interface Handed {
  readonly channel: string;
  readonly id: string;
  readonly attempt: number;
  readonly fields: Fields;
}

export interface TakeAnswer {
  readonly items: ReadonlyArray<Handed | Gap>;
  /** Channels that may have more. */
  readonly more: readonly string[];
  /** Of the channels in which the worker goes in order. */
  readonly progress: Progress;
}

/** The worker's consumer is no more. */
export interface Gone {
  /** When the board's first consumer was made; another time than before, and the server has lost its data. */
  readonly boardBorn: string;
  /** What a consumer of the same name selects now, without the first brace; or nothing. */
  readonly selection: string;
}

export function readTakeAnswer(reply: Reply): TakeAnswer | Gone {
  const [status, items, more, isAlone, free, waits] = asList(reply);
  if (status !== 1) return { boardBorn: asText(items), selection: asText(more) };
  return {
    items: asList(items).map((item) => toItem(asList(item))),
    more: toNames(more),
    progress: { isAlone: isAlone === 1, free: toNames(free), waits: asList(waits).map(toWait) },
  };
}

/** Names of channels. */
export function toNames(reply: Reply | undefined): readonly string[] {
  return asList(reply).map(toName);
}

/** An entry has four parts, a gap fewer. */
function toItem([name, id, last, fields]: readonly Reply[]): Handed | Gap {
  const channel = toName(name);
  if (fields === undefined) return toGap(channel, asText(id), last);
  const pairs = asPairs(fields).map(([field, value]) => [asText(field), asBytes(value)] as const);
  return { channel, id: asText(id), attempt: asNumber(last), fields: new Map(pairs) };
}

function toGap(channel: string, after: string, next: Reply | undefined): Gap {
  const name = channel === CHANGES ? null : channel;
  return { gap: { channel: name, after, next: next === undefined ? null : asText(next) } };
}

function toWait(reply: Reply): Wait {
  const [channel, held, nextMs, atMostMs] = asList(reply);
  return {
    channel: toName(channel),
    held: asNumber(held),
    nextMs: asNumber(nextMs),
    atMostMs: asNumber(atMostMs),
  };
}

function toName(reply: Reply | undefined): string {
  return decodeName(asBytes(reply));
}
