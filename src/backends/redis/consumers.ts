/** The board's consumers, for those who look at them from outside. */
import { compileGlob, escapeGlob } from "../../core/glob.ts";
import { numberToId } from "../../core/ids.ts";
import { decodeName, encodeName } from "../../core/names.ts";
import { readSelection } from "../../core/selection.ts";
import type { AnySelection, ConsumerChannel, ConsumerFacts, WorkerFacts } from "../../core/types.ts";
import { newestNumbers } from "./channels.ts";
import { chunks } from "./chunks.ts";
import type { Argument } from "./connection.ts";
import { RELEASED } from "./consumer-library.ts";
import { CONSUMERS, COUNT, DISSOLVE, FACTS, FORGET } from "./consumer-scripts.ts";
import { CHANGES, type Layout, positionsOf, workerOf } from "./layout.ts";
import type { Work } from "./link.ts";
import { asBytes, asList, asNumber, asPairs, asText, type Reply } from "./replies.ts";
import type { Script } from "./scripts.ts";
import type { SupplyPlace } from "./supply.ts";

/** Channels one script looks at. */
const AT_ONCE = 50;

/** Where to look, all within one bound. */
interface Place {
  readonly layout: Layout;
  readonly run: (script: Script, args: readonly Argument[]) => Promise<Reply>;
  readonly read: <Result>(work: Work<Result>) => Promise<Result>;
}

/** What the board says of a consumer. */
interface Known {
  readonly consumer: string;
  readonly selection: AnySelection;
  /** The number it began behind. */
  readonly start: number;
}

/** A channel's facts, and who holds how much in it. */
interface Seen {
  readonly facts: ConsumerChannel;
  readonly held: ReadonlyArray<readonly [member: string, pending: number]>;
}

/** Within one bound for all. */
export async function listConsumers({ link, layout, run }: SupplyPlace): Promise<readonly ConsumerFacts[]> {
  const deadline = link.deadline();
  const place: Place = {
    layout,
    run: (script, args) => run(script, args, deadline, "read"),
    read: (work) => link.run("read", work, deadline),
  };
  const known = asPairs(await place.run(CONSUMERS, [""])).flatMap(toKnown);
  const newest = await place.read((connection) => newestNumbers(connection, layout, 0));
  const facts: ConsumerFacts[] = [];
  for (const one of known) facts.push(await factsOf(place, one, newest));
  return facts;
}

/** False if there was none. */
export async function forgetConsumer({ link, run }: SupplyPlace, consumer: string): Promise<boolean> {
  const deadline = link.deadline();
  const channels = await run(FORGET, [consumer], deadline);
  if (channels === null) return false;
  for (const some of chunks(asList(channels).map(asBytes), AT_ONCE)) {
    await run(DISSOLVE, [consumer, ...some], deadline);
  }
  return true;
}

async function factsOf(
  place: Place,
  one: Known,
  newest: ReadonlyMap<string, number>,
): Promise<ConsumerFacts> {
  const { consumer } = one;
  const positions = positionsOf(place.layout, consumer);
  const read = await place.read((connection) => connection.call("hkeys", positions));
  const known = new Set(asList(read).map(toName));
  const channels = new Set([...known, ...withNews(one, newest)]);
  const seen: Seen[] = [];
  for (const some of chunks([...channels], AT_ONCE)) {
    const replies = asList(await place.run(FACTS, [consumer, ...some]));
    for (const [at, channel] of some.entries()) {
      const facts = await toSeen(place, channel, asList(replies[at]));
      if (known.has(channel) || facts.facts.lag > 0) seen.push(facts);
    }
  }
  const workers = workersOf(seen, await livingMembers(place, consumer));
  return { consumer, channels: seen.map(({ facts }) => facts), workers };
}

/** Channels of its selection that were sent to since it began. */
function withNews({ selection, start }: Known, newest: ReadonlyMap<string, number>): string[] {
  if ("keys" in selection) return []; // it has a position among the changes from its beginning
  const matchers = selection.patterns.map(compileGlob);
  const isSelected = (channel: string): boolean =>
    channel !== CHANGES &&
    (selection.channels.includes(channel) || matchers.some((matches) => matches(encodeName(channel))));
  return [...newest].filter(([name, number]) => number > start && isSelected(name)).map(([name]) => name);
}

async function toSeen(
  place: Place,
  channel: string,
  [number, pending, lag, ...members]: readonly Reply[],
): Promise<Seen> {
  const position = numberToId(asNumber(number));
  const behind = lag === null ? await countBehind(place, channel, position) : asNumber(lag);
  const held = asPairs(members).map(([member, count]) => [asText(member), asNumber(count)] as const);
  const name = channel === CHANGES ? null : channel;
  return { facts: { channel: name, position, pending: asNumber(pending), lag: behind }, held };
}

/** For servers that do not count for us, and where they lost count. */
async function countBehind({ run }: Place, channel: string, position: string): Promise<number> {
  let count = 0;
  for (let from: string | null = position; from !== null; ) {
    const [more, next]: readonly Reply[] = asList(await run(COUNT, ["", channel, from]));
    count += asNumber(more);
    from = next === undefined ? null : asText(next);
  }
  return count;
}

async function livingMembers({ layout, read }: Place, consumer: string): Promise<string[]> {
  const start = workerOf(layout, consumer, "");
  const pattern = `${escapeGlob(start)}*`;
  const found = await read((connection) => connection.call("pubsub", "channels", pattern));
  return asList(found).map((name) => toName(name).slice(start.length));
}

function workersOf(seen: readonly Seen[], living: readonly string[]): WorkerFacts[] {
  const pending = new Map(living.map((member) => [member, 0]));
  for (const [member, count] of seen.flatMap(({ held }) => held)) {
    if (count > 0 && member !== RELEASED) pending.set(member, (pending.get(member) ?? 0) + count);
  }
  return [...pending].map(([member, count]) => {
    return { worker: member.replace(/:\d+$/, ""), pending: count, isAlive: living.includes(member) };
  });
}

/** Written by the script `JOIN`; the empty name is no consumer's. */
function toKnown([name, reply]: readonly [Reply, Reply]): Known[] {
  const [consumer, text] = [toName(name), asText(reply)];
  const start = /^{"start":(\d+),/.exec(text)?.[1];
  const selection = start === undefined ? null : readSelection(text);
  return selection === null ? [] : [{ consumer, selection, start: Number(start) }];
}

function toName(reply: Reply): string {
  return decodeName(asBytes(reply));
}
