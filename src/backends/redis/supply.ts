/**
 * Where a worker's messages come from: which channels may have something, asking them, and keeping what was handed out.
 * One thing at a time, so that what an answer on its way has handed out is not taken for something nobody knows of.
 */
import { randomBytes } from "node:crypto";
import { BlackboardError } from "../../core/errors.ts";
import { readFailure } from "../../core/failure.ts";
import { idToNumber } from "../../core/ids.ts";
import { decodeName } from "../../core/names.ts";
import type { Gap, Selection } from "../../core/types.ts";
import type { Delivery, WorkerOptions } from "../../core/worker.ts";
import { newestNumbers } from "./channels.ts";
import type { Argument } from "./connection.ts";
import { JOIN, LOOK } from "./consumer-scripts.ts";
import type { Deadline } from "./deadline.ts";
import { Holdings } from "./holdings.ts";
import type { Layout } from "./layout.ts";
import type { Effect, Link } from "./link.ts";
import { asBytes, asList, asNumber, asText, type Reply } from "./replies.ts";
import type { Script } from "./scripts.ts";
import { delivery } from "./subscription.ts";
import { type Progress, Succession, type Wait } from "./succession.ts";
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

/** Whose it is. */
export interface Membership {
  readonly consumer: string;
  /** The worker's name in the groups, its ack timeout in it; see `consumer-library.ts`. */
  readonly member: string;
  readonly selection: Selection;
  readonly options: WorkerOptions;
}

export function membershipOf(consumer: string, selection: Selection, options: WorkerOptions): Membership {
  const member = `${options.agent}#${randomBytes(4).toString("hex")}:${options.ackTimeoutMs}`;
  return { consumer, member, selection, options };
}

/** Channels asked at once: the server looks at the first message of each. */
const CHANNELS = 16;
/** Messages asked for at once: what the server does in one or two milliseconds. */
const MESSAGES = 200;

export class Supply {
  readonly holdings = new Holdings();
  readonly succession: Succession;
  readonly #place: SupplyPlace;
  readonly #membership: Membership;
  /** Channels that may have something. */
  readonly #promising = new Set<string>();
  /** Channels of a question whose answer may have been lost, with what it handed out. */
  readonly #unsettled = new Set<string>();
  /** Channels in whose groups the worker is a member. */
  readonly #visited = new Set<string>();
  #born = "";
  #boardBorn = "";
  #isSuspect = false;

  /** @param onDue called when a channel is to be heard of again */
  constructor(place: SupplyPlace, membership: Membership, onDue: (channel: string) => void) {
    this.#place = place;
    this.#membership = membership;
    this.succession = new Succession(onDue);
  }

  /** Whether asking may bring something. */
  get isPromising(): boolean {
    return this.#isSuspect || this.#promising.size > 0;
  }

  /** A channel may have something; `""`: the consumer may be no more. */
  hear(channel: string): void {
    if (channel === "") this.#isSuspect = true;
    else this.#promising.add(channel);
  }

  /** Makes the consumer, if it is not there. */
  async join(begin: WorkerOptions["begin"], deadline: Deadline): Promise<void> {
    const { consumer, selection } = this.#membership;
    const { channels, patterns } = selection;
    const args = [consumer, begin, JSON.stringify({ channels, patterns })];
    const [born, boardBorn, others] = asList(await this.#place.run(JOIN, args, deadline));
    if (this.#born === "" && asNumber(others) === 0) this.succession.begin();
    this.#born = asText(born);
    this.#boardBorn = asText(boardBorn);
  }

  /** All channels that were ever sent to, and are selected. */
  async hearAll(selects: (channel: string) => boolean, deadline: Deadline): Promise<void> {
    const { link, layout } = this.#place;
    const all = await link.run("read", (connection) => newestNumbers(connection, layout, 0), deadline);
    for (const channel of all.keys()) if (selects(channel)) this.hear(channel);
  }

  /** Those that have something new, or something that others held and did not renew in time. */
  async look(selects: (channel: string) => boolean, deadline: Deadline): Promise<void> {
    const { consumer, options } = this.#membership;
    let cursor = "0";
    do {
      const args = [consumer, cursor, options.ackTimeoutMs];
      const [next, found] = asList(await this.#place.run(LOOK, args, deadline));
      cursor = asText(next);
      for (const channel of asList(found).map(toName)) if (selects(channel)) this.hear(channel);
    } while (cursor !== "0");
  }

  /** Up to so many messages, and gaps. @throws BlackboardError `conflict` if the consumer was deleted */
  async take(most: number, deadline: Deadline): Promise<ReadonlyArray<Delivery | Gap>> {
    if (this.#unsettled.size > 0) await this.settle(deadline);
    const [ordered, others] = this.#choose();
    const channels = [...ordered, ...others];
    try {
      const { consumer, member, options } = this.#membership;
      const count = Math.min(most, MESSAGES);
      const how = [count, options.ackTimeoutMs, ordered.length];
      const args = [consumer, member, this.#born, ...how, ...channels];
      const reply = asList(await this.#place.run(TAKE, args, deadline));
      for (const channel of channels) this.#unsettled.delete(channel);
      if (ordered.length > 0) this.succession.learn(toProgress(reply));
      return await this.#read(reply, channels, deadline);
    } catch (error) {
      for (const channel of channels) this.hear(channel);
      throw error;
    }
  }

  /** Renews what it holds, and gives back what was handed out by answers that were lost. */
  async settle(deadline: Deadline): Promise<void> {
    for (const channel of new Set([...this.holdings.channels, ...this.#unsettled])) {
      for (const { from, to, ids } of this.holdings.rangesOf(channel)) {
        const lost = await this.#settle(channel, [from, to, "", ...ids], deadline);
        for (const id of lost) this.holdings.delete(channel, asText(id));
      }
      this.#unsettled.delete(channel);
    }
  }

  /** Gives back one message. */
  async release(channel: string, id: string, deadline: Deadline): Promise<void> {
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

  async #read(
    [status, items, more]: readonly Reply[],
    channels: readonly string[],
    deadline: Deadline,
  ): Promise<ReadonlyArray<Delivery | Gap>> {
    if (status === 1) {
      for (const channel of asList(more).map(toName)) this.hear(channel);
      return asList(items).map((item) => this.#receive(asList(item)));
    }
    if (asText(items) === this.#boardBorn) throw deleted(this.#membership.consumer);
    // The server lost its data: all that it has now came afterwards.
    this.holdings.clear();
    await this.join("start", deadline);
    for (const channel of channels) this.hear(channel);
    return [];
  }

  #receive([channel, first, second, ...rest]: readonly Reply[]): Delivery | Gap {
    const name = toName(channel ?? null);
    if (rest.length === 0) return toGap(name, asText(first), second);
    this.#visited.add(name);
    const id = asText(first);
    this.holdings.add(name, id);
    const [by, failure, attempt] = rest;
    const number = idToNumber(id) ?? 0;
    const known = { number, by: asText(by), failure: readFailure(asText(failure)) };
    return { message: delivery(name, asBytes(second), known).message, attempt: asNumber(attempt) };
  }
}

function toGap(channel: string, after: string, next: Reply | undefined): Gap {
  return { gap: { channel, after, next: next === undefined ? null : asText(next) } };
}

/** Of an answer of the script `TAKE`; one that the consumer is no more says nothing. */
function toProgress([status, , , isAlone, free, waits]: readonly Reply[]): Progress {
  if (status !== 1) return { isAlone: true, free: [], waits: [] };
  return { isAlone: isAlone === 1, free: asList(free).map(toName), waits: asList(waits).map(toWait) };
}

function toWait(reply: Reply): Wait {
  const [channel = null, held, nextMs, atMostMs] = asList(reply);
  return {
    channel: toName(channel),
    held: asNumber(held),
    nextMs: asNumber(nextMs),
    atMostMs: asNumber(atMostMs),
  };
}

function toName(reply: Reply): string {
  return decodeName(asBytes(reply));
}

function deleted(consumer: string): BlackboardError {
  return new BlackboardError("conflict", `the consumer ${consumer} was deleted`);
}
