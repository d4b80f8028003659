/**
 * Where a worker's entries come from: which channels may have something, asking them, and keeping what was handed out.
 * One thing at a time, so that what an answer on its way has handed out is not taken for something nobody knows of.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { idToNumber } from "../../core/ids.ts";
import { writeSelection } from "../../core/selection.ts";
import type { Entry, Gap } from "../../core/types.ts";
import type { Delivery, WorkerOptions } from "../../core/worker.ts";
import type { Acks } from "./acks.ts";
import { newestNumbers } from "./channels.ts";
import type { Argument } from "./connection.ts";
import { JOIN, LOOK } from "./consumer-scripts.ts";
import type { Deadline } from "./deadline.ts";
import { Holdings, type Place, placeOf } from "./holdings.ts";
import { CHANGES, type Layout } from "./layout.ts";
import type { Effect, Link } from "./link.ts";
import { ending, type Membership, refusal } from "./membership.ts";
import { endOf, Reach } from "./reach.ts";
import { asList, asNumber, asText, type Reply } from "./replies.ts";
import type { Script } from "./scripts.ts";
import type { Source } from "./subscription.ts";
import { Succession } from "./succession.ts";
import { type Gone, type Handed, readTakeAnswer, toNames } from "./take-answer.ts";
import { TAKE } from "./take-script.ts";
import { SETTLE } from "./worker-scripts.ts";

/** Runs a script in one board, and in one worker's name. */
export type RunScript = (
  script: Script,
  args: readonly Argument[],
  deadline?: Deadline,
  effect?: Effect,
) => Promise<Reply>;

export interface SupplyPlace {
  readonly layout: Layout;
  readonly link: Link;
  readonly run: RunScript;
}

/** Channels asked at once: the server looks at the first entry of each. */
const CHANNELS = 16;

/** What a supply works with. */
export interface SupplyOptions {
  /** What the worker has selected; all else that it is handed counts as done. */
  readonly source: Source;
  readonly acks: Acks;
  /** Called when a channel is to be heard of again. */
  readonly onDue: (channel: string) => void;
}

/** A worker that has just left, or was killed, may be counted for a moment: the server reads its connections in turn. */
const [ATTEMPTS, PAUSE_MS] = [10, 20];

export class Supply {
  readonly holdings = new Holdings();
  readonly succession: Succession;
  readonly #place: SupplyPlace;
  readonly #membership: Membership;
  readonly #source: Source;
  readonly #acks: Acks;
  readonly #reach = new Reach();
  /** Channels that may have something. */
  readonly #promising = new Set<string>();
  /** Channels where it may have been handed what nobody knows of: an answer may have been lost, or brought too much. */
  readonly #unsettled = new Set<string>();
  /** Channels in whose groups the worker is a member. */
  readonly #visited = new Set<string>();
  #born = "";
  #boardBorn = "";
  #isSuspect = false;

  constructor(place: SupplyPlace, membership: Membership, { source, acks, onDue }: SupplyOptions) {
    this.#place = place;
    this.#membership = membership;
    this.#source = source;
    this.#acks = acks;
    this.succession = new Succession(onDue);
  }

  /** Whether asking may bring something. */
  get isPromising(): boolean {
    return this.#isSuspect || this.#promising.size > 0;
  }

  /** Whether there is something to be given back. */
  get isUnsettled(): boolean {
    return this.#unsettled.size > 0;
  }

  /** A channel may have something; the empty name: the changes may, or the consumer may be no more. */
  hear(channel: string): void {
    if (channel === CHANGES && !this.#source.matches(CHANGES)) this.#isSuspect = true;
    else this.#promising.add(channel);
  }

  /** Makes the consumer, if it is not there. @throws BlackboardError `conflict` if it is another's */
  async join(begin: WorkerOptions["begin"], deadline: Deadline): Promise<void> {
    const args = [this.#membership.consumer, begin, writeSelection(this.#membership.selection)];
    const [born, boardBorn, others] = await this.#askToJoin(args, deadline);
    if (boardBorn === undefined) throw refusal(this.#membership, asText(born));
    if (this.#born === "" && asNumber(others) === 0) this.succession.begin();
    this.#born = asText(born);
    this.#boardBorn = asText(boardBorn);
  }

  async #askToJoin(args: readonly Argument[], deadline: Deadline): Promise<readonly Reply[]> {
    for (let attempt = 1; ; attempt++) {
      const answer = asList(await this.#place.run(JOIN, args, deadline));
      const isRefused = answer.length === 1 && asText(answer[0]) === "keys";
      if (!isRefused || attempt === ATTEMPTS) return answer;
      await sleep(PAUSE_MS);
    }
  }

  /** All channels that were ever sent to, and are selected. */
  async hearAll(deadline: Deadline): Promise<void> {
    if (this.#source.matches(CHANGES)) return this.hear(CHANGES);
    const { link, layout } = this.#place;
    const all = await link.run("read", (connection) => newestNumbers(connection, layout, 0), deadline);
    for (const channel of all.keys()) if (this.#source.matches(channel)) this.hear(channel);
  }

  /** Those that have something new, or something that others held and did not renew in time. */
  async look(deadline: Deadline): Promise<void> {
    const { consumer, options } = this.#membership;
    let cursor = "0";
    do {
      const args = [consumer, cursor, options.ackTimeoutMs];
      const [next, found] = asList(await this.#place.run(LOOK, args, deadline));
      cursor = asText(next);
      for (const channel of toNames(found)) if (this.#source.matches(channel)) this.hear(channel);
    } while (cursor !== "0");
  }

  /** Up to so many entries, and gaps. @throws BlackboardError `conflict` if the consumer was deleted */
  async take(most: number, deadline: Deadline): Promise<ReadonlyArray<Delivery<Entry> | Gap>> {
    if (this.isUnsettled) await this.settle(deadline);
    const [ordered, others] = this.#choose();
    const channels = [...ordered, ...others];
    try {
      const { consumer, member, options } = this.#membership;
      const how = [this.#reach.entriesFor(most), options.ackTimeoutMs, ordered.length];
      const args = [consumer, member, this.#born, ...how, ...channels];
      const answer = readTakeAnswer(await this.#place.run(TAKE, args, deadline));
      for (const channel of channels) this.#unsettled.delete(channel);
      if ("boardBorn" in answer) return await this.#beginAnew(answer, channels, deadline);
      if (ordered.length > 0) this.succession.learn(answer.progress);
      for (const channel of answer.more) this.hear(channel);
      return this.#keep(answer.items, most);
    } catch (error) {
      for (const channel of channels) this.hear(channel);
      throw error;
    }
  }

  async ack({ channel, id }: Place): Promise<void> {
    await this.#acks.add(channel, id);
    this.holdings.delete(channel, id); // until then it must be renewed
  }

  /** Renews what it holds, and gives back what nobody knows of. */
  async settle(deadline: Deadline): Promise<void> {
    for (const channel of new Set([...this.holdings.channels, ...this.#unsettled])) {
      for (const { from, to, ids } of this.holdings.rangesOf(channel)) {
        const lost = await this.#settle(channel, [from, to, "", ...ids], deadline);
        for (const id of lost) this.holdings.delete(channel, asText(id));
      }
      this.#unsettled.delete(channel);
    }
  }

  /** Gives back one entry. */
  async release({ channel, id }: Place, deadline: Deadline): Promise<void> {
    await this.#settle(channel, [id, id, ""], deadline);
  }

  /** Gives back everything, and leaves the groups. */
  async leave(deadline: Deadline): Promise<void> {
    const channels = new Set([...this.#visited, ...this.#unsettled]);
    const leaving = [...channels].map(async (channel) => {
      for (const { from, to } of this.holdings.rangesOf(channel)) {
        await this.#settle(channel, [from, to, to === "+" ? "leave" : ""], deadline);
      }
    });
    await Promise.all(leaving);
  }

  async #settle(channel: string, args: readonly Argument[], deadline: Deadline): Promise<readonly Reply[]> {
    const { consumer, member } = this.#membership;
    return asList(await this.#place.run(SETTLE, [consumer, member, channel, ...args], deadline));
  }

  /**
   * Those that wait longest: those to be read in order, and others. They are forgotten now: what is heard later may be
   * too late for the answer.
   */
  #choose(): readonly [ordered: readonly string[], others: readonly string[]] {
    const channels: string[] = [];
    for (const channel of this.#promising) {
      if (channels.push(channel) === CHANNELS) break;
    }
    for (const channel of channels) {
      this.#promising.delete(channel);
      this.#unsettled.add(channel);
    }
    this.#isSuspect = false;
    const ordered = channels.filter((channel) => this.succession.ask(channel));
    return [ordered, channels.filter((channel) => !ordered.includes(channel))];
  }

  async #beginAnew(gone: Gone, channels: readonly string[], deadline: Deadline): Promise<never[]> {
    if (gone.boardBorn === this.#boardBorn) throw ending(this.#membership, gone.selection);
    // The server lost its data: all that it has now came afterwards.
    this.holdings.clear();
    await this.join("start", deadline);
    for (const channel of channels) this.hear(channel);
    return [];
  }

  /** What is selected, as far as it is wanted. */
  #keep(items: ReadonlyArray<Handed | Gap>, most: number): ReadonlyArray<Delivery<Entry> | Gap> {
    const found = items.flatMap(
      (item): Array<Delivery<Entry> | Gap> => ("gap" in item ? [item] : this.#receive(item)),
    );
    this.#reach.learn(items, found, most);
    const end = endOf(found, most);
    for (const item of found.slice(end)) if (!("gap" in item)) this.#leaveToOthers(placeOf(item.entry));
    return found.slice(0, end);
  }

  #receive(handed: Handed): Delivery<Entry>[] {
    const { channel, id, attempt, fields } = handed;
    this.#visited.add(channel);
    this.holdings.add(channel, id);
    const entry = this.#source.entryOf(channel, idToNumber(id) ?? 0, fields);
    if (entry !== null) return [{ entry, attempt }];
    // If that fails, others come to it and pass it over, too.
    this.ack(handed).catch(() => undefined);
    return [];
  }

  #leaveToOthers({ channel, id }: Place): void {
    this.holdings.delete(channel, id);
    this.#unsettled.add(channel);
    this.hear(channel);
  }
}
