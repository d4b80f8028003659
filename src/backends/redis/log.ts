/**
 * One channel's log, read in pages.
 *
 * A page is only as large as the entries before it allow: nothing is known of their size beforehand, and a log must not take
 * more than its share.
 */
import { contentOf } from "../../core/entry.ts";
import { idToNumber, numberToId } from "../../core/ids.ts";
import type { Entry } from "../../core/types.ts";
import type { Argument } from "./connection.ts";
import { asBytes, asList, asPairs, asText, type Reply } from "./replies.ts";
import type { Source } from "./subscription.ts";

/** What an entry takes beside its payload, in bytes, roughly. */
const OVERHEAD = 512;
/** Entries of a page, at most: if large ones follow small ones, so many come at once. */
const PAGE = 100;

/** An entry as it is in a log. */
export interface Logged {
  readonly channel: string;
  readonly number: number;
  /** The number of the log's entry before it, kept or not; 0 if none is known. */
  readonly before: number;
  /** `null`: not of what is followed. */
  readonly entry: Entry | null;
}

export interface LogPlace {
  readonly channel: string;
  /** Its key. */
  readonly stream: string;
  readonly source: Source;
  /** What its pages should stay within, in bytes. */
  readonly share: number;
}

/** A part of a log, both ends included, and from which end to read it. */
export interface Range {
  readonly from: number;
  readonly upTo: number;
  readonly newestFirst: boolean;
}

/** A log on its way to its end. Its next entry is taken from the page that is here; if none is, the page must be asked for. */
export class Log {
  readonly #place: LogPlace;
  readonly #newestFirst: boolean;
  /** The ids between which the rest is, the first as Redis wants it for an open end. */
  #start: string;
  readonly #end: string;
  #page: readonly Logged[] = [];
  #at = 0;
  /** Entries of the next page, at most. */
  count = 1;
  /** The number of the next entry, or one that comes before it. */
  #next: number;
  #isAllHere = false;
  /** What it holds. */
  bytes = 0;
  /** The largest entry of its last page. */
  largest = 0;

  constructor(place: LogPlace, { from, upTo, newestFirst }: Range) {
    this.#place = place;
    this.#newestFirst = newestFirst;
    this.#next = newestFirst ? upTo : from;
    this.#start = numberToId(this.#next);
    this.#end = numberToId(newestFirst ? from : upTo);
  }

  /** The log of the least turn is the next: infinite at the end. */
  get turn(): number {
    if (this.#isAllHere && this.#isEmpty) return Infinity;
    return this.#newestFirst ? -this.#next : this.#next;
  }

  /** The next entry; `null` if it is empty: the next page must be asked for first. */
  take(): Logged | null {
    const entry = this.#page[this.#at];
    if (entry === undefined) return null;
    this.#at++;
    this.bytes -= sizeOf(entry);
    this.#next = this.#page[this.#at]?.number ?? entry.number + (this.#newestFirst ? -1 : 1);
    return entry;
  }

  /** The command that asks for the next page. */
  get question(): readonly [string, ...Argument[]] {
    const command = this.#newestFirst ? "xrevrange" : "xrange";
    return [command, this.#place.stream, this.#start, this.#end, "count", this.count];
  }

  /** Whether it will soon be empty, and has more. */
  get isRunningOut(): boolean {
    return !this.#isAllHere && this.#page.length - this.#at <= 1;
  }

  /** What was answered; it comes behind what is here. */
  fill(reply: Reply): void {
    const replies = asList(reply);
    const entries = replies.map((one) => toLogged(this.#place, one)).filter((entry) => entry !== null);
    const last = replies.length === 0 ? "" : asText(asList(replies.at(-1))[0]);
    this.#isAllHere = replies.length < this.count || last === this.#end;
    this.#start = `(${last}`;
    this.#page = [...this.#page.slice(this.#at), ...entries];
    this.#at = 0;
    this.#next = this.#page[0]?.number ?? this.#next;
    this.bytes = this.#page.reduce((sum, entry) => sum + sizeOf(entry), 0);
    this.largest = entries.reduce((most, entry) => Math.max(most, sizeOf(entry)), OVERHEAD);
    this.count = Math.max(1, Math.min(this.count * 2, PAGE, Math.floor(this.#place.share / this.largest)));
  }

  /** The page is to be read again when its turn comes. */
  letGo(): void {
    if (this.#isEmpty) return;
    this.#start = numberToId(this.#next);
    this.#page = [];
    this.#at = 0;
    this.#isAllHere = false;
    this.bytes = 0;
  }

  get #isEmpty(): boolean {
    return this.#at === this.#page.length;
  }
}

function sizeOf({ entry }: Logged): number {
  return (entry === null ? 0 : contentOf(entry).length) + OVERHEAD;
}

/** `null` for one that timmy-bb cannot have written. */
function toLogged({ channel, source }: LogPlace, reply: Reply): Logged | null {
  const [id, pairs] = asList(reply);
  const number = idToNumber(asText(id));
  if (number === null) return null;
  const fields = new Map(asPairs(pairs).map(([name, value]) => [asText(name), asBytes(value)]));
  const before = Number(fields.get("before") ?? 0) || 0;
  return { channel, number, before, entry: source.entryOf(channel, number, fields) };
}
