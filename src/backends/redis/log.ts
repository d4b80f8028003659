/**
 * Reading channels' logs in pages, and several of them as one.
 *
 * What is held is bounded whatever was sent and on however many channels: a page is only as large as the one before it
 * allows, and pages of channels whose turn is far off are let go, to be read again.
 */

import { readFailure } from "../../core/failure.ts";
import { idToNumber, numberToId } from "../../core/ids.ts";
import type { Connection } from "./connection.ts";
import { type Layout, streamOf } from "./layout.ts";
import type { Work } from "./link.ts";
import { asBytes, asList, asPairs, asText, type Reply } from "./replies.ts";
import { type Delivery, delivery } from "./subscription.ts";

/** What all logs that are read as one may hold, in bytes: 2 MiB. One entry of each size must fit beside it. */
const BUDGET = 2 * 1024 * 1024;
/** What an entry takes beside its payload, in bytes, roughly. */
const OVERHEAD = 512;
/** Entries of a page, at most: if large ones follow small ones, so many come at once. */
const PAGE = 100;
/** Logs whose first pages are asked for together. Each listens to the signal meanwhile, and Node warns of more than 10. */
const AT_ONCE = 8;

/** An entry of a log. */
export interface Entry extends Delivery {
  readonly number: number;
  /** The number of the channel's message before it, kept or not; 0 if none is known. */
  readonly before: number;
}

export interface LogPlace {
  readonly layout: Layout;
  /** How many logs share the budget. */
  readonly channels: number;
  readonly read: <Result>(work: Work<Result>) => Promise<Result>;
}

/** A part of a log, both ends included, and from which end to read it. */
export interface Range {
  readonly from: number;
  readonly upTo: number;
  readonly newestFirst: boolean;
}

/** The entries of one log, in pages. */
async function* pagesOf(
  { layout, channels, read }: LogPlace,
  channel: string,
  { from, upTo, newestFirst }: Range,
): AsyncGenerator<readonly Entry[], void, undefined> {
  const stream = streamOf(layout, channel);
  const ends = [numberToId(from), numberToId(upTo)];
  let [next = "", end = ""] = newestFirst ? ends.reverse() : ends;
  for (let count = 1; ; ) {
    const range = [next, end, "count", count] as const;
    const ask = (connection: Connection) =>
      connection.call(newestFirst ? "xrevrange" : "xrange", stream, ...range);
    const replies = asList(await read(ask));
    const entries = replies.map((reply) => toEntry(channel, reply)).filter((entry) => entry !== null);
    yield entries;
    if (replies.length < count) return;
    next = `(${asText(asList(replies.at(-1))[0])}`;
    const largest = entries.reduce((most, entry) => Math.max(most, sizeOf(entry)), OVERHEAD);
    count = Math.max(1, Math.min(count * 2, PAGE, Math.floor(BUDGET / channels / largest)));
  }
}

/** One log on its way to its end. */
export class Log {
  readonly #place: LogPlace;
  readonly #channel: string;
  readonly #range: Range;
  #pages: ReturnType<typeof pagesOf>;
  #page: readonly Entry[] = [];
  #at = 0;
  /** The number of the next entry, or one that comes before it; `null` at the end. */
  #next: number | null;
  /** What it holds. */
  bytes = 0;

  constructor(place: LogPlace, channel: string, range: Range) {
    this.#place = place;
    this.#channel = channel;
    this.#range = range;
    this.#pages = pagesOf(place, channel, range);
    this.#next = range.newestFirst ? range.upTo : range.from;
  }

  /** The log of the least turn is the next: infinite at the end. */
  get turn(): number {
    if (this.#next === null) return Infinity;
    return this.#range.newestFirst ? -this.#next : this.#next;
  }

  /** The next entry, if it is here; else it must be filled first. */
  take(): Entry | null {
    const entry = this.#page[this.#at];
    if (entry === undefined) return null;
    this.#at++;
    this.bytes -= sizeOf(entry);
    this.#next = this.#page[this.#at]?.number ?? entry.number + (this.#range.newestFirst ? -1 : 1);
    return entry;
  }

  async fill(): Promise<void> {
    const { done, value } = await this.#pages.next();
    this.#page = done ? [] : value;
    this.#at = 0;
    this.bytes = this.#page.reduce((sum, entry) => sum + sizeOf(entry), 0);
    this.#next = done ? null : (this.#page[0]?.number ?? this.#next);
  }

  /** To be read again when its turn comes. */
  letGo(): void {
    const { from, upTo, newestFirst } = this.#range;
    const rest = newestFirst ? { from, upTo: this.#next ?? from } : { from: this.#next ?? upTo, upTo };
    this.#page = [];
    this.bytes = 0;
    this.#pages = pagesOf(this.#place, this.#channel, { ...rest, newestFirst });
  }
}

/** The entries of all logs, by number, all from the same end. */
export async function* merged(logs: readonly Log[]): AsyncGenerator<Entry, void, undefined> {
  for (let at = 0; at < logs.length; at += AT_ONCE) {
    await Promise.all(logs.slice(at, at + AT_ONCE).map((log) => log.fill()));
    keepToBudget(logs);
  }
  for (;;) {
    const first = nextOf(logs);
    if (first === undefined) return;
    const entry = first.take();
    if (entry !== null) yield entry;
    else {
      await first.fill();
      keepToBudget(logs);
    }
  }
}

function nextOf(logs: readonly Log[]): Log | undefined {
  let next: Log | undefined;
  for (const log of logs) if (log.turn < (next?.turn ?? Infinity)) next = log;
  return next;
}

/** Lets those go whose turn comes last. */
function keepToBudget(logs: readonly Log[]): void {
  let bytes = logs.reduce((sum, log) => sum + log.bytes, 0);
  if (bytes <= BUDGET) return;
  const holding = logs.filter((log) => log.bytes > 0).sort((left, right) => left.turn - right.turn);
  for (const log of holding.slice(1).reverse()) {
    if (bytes <= BUDGET) return;
    bytes -= log.bytes;
    log.letGo();
  }
}

function sizeOf({ message }: Delivery): number {
  return message.payload.length + OVERHEAD;
}

/** `null` for an entry that timmy-bb cannot have written. */
function toEntry(channel: string, reply: Reply): Entry | null {
  const [id, fields] = asList(reply);
  const number = idToNumber(asText(id));
  const known = new Map(asPairs(fields).map(([name, value]) => [asText(name), asBytes(value)]));
  const payload = known.get("payload");
  if (number === null || payload === undefined) return null;
  const before = Number(known.get("before") ?? 0) || 0;
  const by = known.get("by")?.toString("utf8") ?? "";
  const failure = readFailure(known.get("failure")?.toString("utf8") ?? "");
  return { ...delivery(channel, payload, { number, by, failure }), number, before };
}
