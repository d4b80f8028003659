/** The logs of the channels a follower has selected, read as one and oldest first. */
import { BlackboardError } from "../../core/errors.ts";
import { msToNumber } from "../../core/ids.ts";
import type { Start } from "../../core/types.ts";
import { newestNumbers, readClock } from "./channels.ts";
import type { Connection } from "./connection.ts";
import { UnreachableError } from "./errors.ts";
import { type Layout, streamOf } from "./layout.ts";
import type { Link, Work } from "./link.ts";
import { Log, type Logged, type Range } from "./log.ts";
import { BUDGET, merged } from "./merge.ts";
import type { Source } from "./subscription.ts";

export interface HistoryPlace {
  /** Reads the logs: a subscriber's own connection cannot. */
  readonly link: Link;
  readonly layout: Layout;
  /** Older entries may still be there, in a log that nobody has added to since; they count as dropped. */
  readonly maxAgeMs: number;
}

/** What there is at a moment. */
export interface Moment {
  /** The number of the newest message, at least. */
  readonly upTo: number;
  /** The server's clock, as the first number of its millisecond. */
  readonly clock: number;
  /** The newest number of each selected channel that has messages. */
  readonly newest: ReadonlyMap<string, number>;
}

export class History {
  readonly #place: HistoryPlace;
  readonly #source: Source;

  constructor(place: HistoryPlace, source: Source) {
    this.#place = place;
    this.#source = source;
  }

  /**
   * What has been sent behind a number. The channels' newest numbers are read in one step, so every log is then read up to
   * the same number: a greater one comes by the subscription, and a lesser one cannot appear in a log already read.
   */
  async moment(after: number, signal: AbortSignal): Promise<Moment> {
    const look = (connection: Connection) =>
      Promise.all([readClock(connection), newestNumbers(connection, this.#place.layout, after)]);
    const [clock, all] = await this.#read(look, signal);
    const newest = this.selected(all);
    return { clock, newest, upTo: [...newest.values()].reduce((most, one) => Math.max(most, one), after) };
  }

  selected(newest: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    return new Map([...newest].filter(([channel]) => this.#source.matches(channel)));
  }

  /** Behind which number to begin; for `last` this reads, of as many entries as are wanted. */
  async locate(start: Start, moment: Moment, signal: AbortSignal): Promise<number> {
    if ("last" in start) return this.#behindNewest(start.last, moment, signal);
    const number = "after" in start ? start.after : firstSince(start, moment) - 1;
    return Math.max(0, Math.min(number, moment.upTo));
  }

  /** The entries behind a number and up to the moment, by number. */
  entries(moment: Moment, after: number, signal: AbortSignal): AsyncGenerator<Logged, void, undefined> {
    const from = Math.max(after + 1, this.#oldest(moment));
    return this.#merged(moment, { from, upTo: moment.upTo, newestFirst: false }, signal);
  }

  /** The number just before the newest so many entries, or before all that are there. */
  async #behindNewest(most: number, moment: Moment, signal: AbortSignal): Promise<number> {
    const range = { from: this.#oldest(moment), upTo: moment.upTo, newestFirst: true };
    let oldest = moment.upTo + 1;
    let left = most;
    if (left === 0) return moment.upTo;
    if (left === Infinity) return 0;
    for await (const { number, entry } of this.#merged(moment, range, signal)) {
      if (entry === null) continue;
      oldest = number;
      if (--left === 0) break;
    }
    return oldest - 1;
  }

  #merged(moment: Moment, range: Range, signal: AbortSignal): AsyncGenerator<Logged, void, undefined> {
    const channels = [...moment.newest].filter(([, newest]) => newest >= range.from);
    const share = BUDGET / channels.length;
    const logs = channels.map(([channel, newest]) => {
      const stream = streamOf(this.#place.layout, channel);
      return new Log({ channel, stream, source: this.#source, share }, { ...range, upTo: newest });
    });
    return merged(logs, (work) => this.#read(work, signal));
  }

  #oldest({ clock }: Moment): number {
    return Math.max(0, clock - msToNumber(this.#place.maxAgeMs));
  }

  /** Reading changes nothing, so what was lost with a connection is asked for once more, within the same bound. */
  async #read<Result>(work: Work<Result>, signal: AbortSignal): Promise<Result> {
    const { link } = this.#place;
    const deadline = link.deadline(signal);
    try {
      return await link.run("read", work, deadline);
    } catch (error) {
      if (!(error instanceof BlackboardError) || error.kind !== "unavailable") throw error;
      if (error instanceof UnreachableError || deadline.leftMs === 0) throw error;
      return link.run("read", work, deadline);
    }
  }
}

function firstSince(start: { readonly sinceMs: number } | { readonly agoMs: number }, { clock }: Moment) {
  return "sinceMs" in start ? msToNumber(start.sinceMs) : clock - msToNumber(start.agoMs);
}
