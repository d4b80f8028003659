/** Listing channels: those with retained messages, and those somebody listens to. */
import { compileGlob, escapeGlob, type Matcher } from "../../core/glob.ts";
import { msToNumber, numberToId } from "../../core/ids.ts";
import { decodeName, encodeName } from "../../core/names.ts";
import type { ChannelFacts } from "../../core/types.ts";
import type { Connection } from "./connection.ts";
import { CHANGES, isOwn, type Layout, markerStart, streamOf } from "./layout.ts";
import type { Link } from "./link.ts";
import { asBytes, asList, asNumber, asPairs, type Reply } from "./replies.ts";

/** Channels read in one step, 0.6 ms of the server's time. */
const MOST_AT_ONCE = 2000;

/** Live followers that have the same patterns. */
interface PatternFollowers {
  readonly patterns: readonly Matcher[];
  readonly followers: number;
}

interface Retained {
  readonly messages: number;
  readonly lastId: string;
}

/** The channels that match, each once, in no order. */
export function listChannels(
  link: Link,
  layout: Layout,
  maxAgeMs: number,
  pattern: string,
  deadline = link.deadline(),
): Promise<readonly ChannelFacts[]> {
  const list = async (connection: Connection): Promise<readonly ChannelFacts[]> => {
    const [retained, listened, patterns] = await Promise.all([
      retainedChannels(connection, layout, maxAgeMs, pattern),
      listenedChannels(connection, pattern),
      followedPatterns(connection, layout),
    ]);
    const names = new Set([...retained.keys(), ...listened.keys()]);
    return [...names].map((channel) => ({
      channel,
      messages: retained.get(channel)?.messages ?? 0,
      followers: (listened.get(channel) ?? 0) + followersByPattern(patterns, channel),
      lastId: retained.get(channel)?.lastId ?? null,
    }));
  };
  return link.run("read", list, deadline);
}

/** Channels whose log has something, by its length and newest entry. One that gets a message meanwhile moves to the end of the list, and comes again. */
async function retainedChannels(
  connection: Connection,
  layout: Layout,
  maxAgeMs: number,
  pattern: string,
): Promise<Map<string, Retained>> {
  const matches = compileGlob(pattern);
  const retained = new Map<string, Retained>();
  for (let above = await oldestKept(connection, maxAgeMs); ; ) {
    const page = [...(await newestNumbers(connection, layout, above, MOST_AT_ONCE))];
    const wanted = page.filter(([channel]) => channel !== CHANGES && matches(encodeName(channel)));
    const lengths = await Promise.all(
      wanted.map(([channel]) => connection.call("xlen", streamOf(layout, channel))),
    );
    wanted.forEach(([channel, number], at) => {
      const messages = asNumber(lengths[at]);
      if (messages > 0) retained.set(channel, { messages, lastId: numberToId(number) });
    });
    if (page.length < MOST_AT_ONCE) return retained;
    above = page.at(-1)?.[1] ?? Number.POSITIVE_INFINITY;
  }
}

/** Channels with entries of a greater number than the given one, by the number of the newest; the lowest so many, if not all are wanted. */
export async function newestNumbers(
  connection: Connection,
  layout: Layout,
  above: number,
  most = -1,
): Promise<ReadonlyMap<string, number>> {
  if (above === Infinity) return new Map();
  const range = [layout.channels, `(${above}`, "+inf", "withscores", "limit", 0, most] as const;
  const pairs = asPairs(await connection.call("zrangebyscore", ...range));
  return new Map(pairs.map(([channel, number]) => [toName(channel), asNumber(number)]));
}

/** By the server's clock: ours may differ. */
async function oldestKept(connection: Connection, maxAgeMs: number): Promise<number> {
  return Math.max((await readClock(connection)) - msToNumber(maxAgeMs), 0);
}

/** The server's clock, as the first number of its millisecond. */
export async function readClock(connection: Connection): Promise<number> {
  const [seconds, micros] = asList(await connection.call("time"));
  return msToNumber(asNumber(seconds) * 1000 + Math.floor(asNumber(micros) / 1000));
}

/** Channels with subscribers by exact name, foreign ones too. */
async function listenedChannels(connection: Connection, pattern: string): Promise<Map<string, number>> {
  const channels = asList(await connection.call("pubsub", "channels", pattern)).map((name) =>
    decodeName(asBytes(name)),
  );
  return subscriberCounts(
    connection,
    channels.filter((channel) => !isOwn(channel)),
  );
}

/** The live followers of this board that have patterns. */
async function followedPatterns(
  connection: Connection,
  layout: Layout,
): Promise<readonly PatternFollowers[]> {
  const start = markerStart(layout);
  const markers = asList(await connection.call("pubsub", "channels", `${escapeGlob(start)}*`));
  const counts = await subscriberCounts(connection, markers.map(toName));
  return [...counts].map(([marker, followers]) => ({
    patterns: toPatterns(marker.slice(start.length)),
    followers,
  }));
}

/** Anybody can subscribe to anything: what is not a list of patterns follows nothing. */
function toPatterns(marker: string): readonly Matcher[] {
  try {
    const patterns: unknown = JSON.parse(marker);
    return Array.isArray(patterns)
      ? patterns.filter((item) => typeof item === "string").map(compileGlob)
      : [];
  } catch {
    return [];
  }
}

async function subscriberCounts(
  connection: Connection,
  channels: readonly string[],
): Promise<Map<string, number>> {
  if (channels.length === 0) return new Map();
  const pairs = asPairs(await connection.call("pubsub", "numsub", ...channels));
  return new Map(pairs.map(([channel, count]) => [toName(channel), asNumber(count)]));
}

function followersByPattern(patterns: readonly PatternFollowers[], channel: string): number {
  const name = encodeName(channel);
  return patterns.reduce((sum, one) => sum + (timesMatched(one, name) > 0 ? one.followers : 0), 0);
}

/** Redis delivers once for each matching pattern: how many deliveries of a channel are repeats to the same follower. */
export async function countRepeats(connection: Connection, layout: Layout, channel: string): Promise<number> {
  const name = encodeName(channel);
  const all = await followedPatterns(connection, layout);
  return all.reduce((sum, one) => sum + Math.max(timesMatched(one, name) - 1, 0) * one.followers, 0);
}

function timesMatched({ patterns }: PatternFollowers, name: Uint8Array): number {
  return patterns.filter((matches) => matches(name)).length;
}

function toName(reply: Reply): string {
  return decodeName(asBytes(reply));
}

/** Live followers of the board, ours only. */
export async function countFollowers(connection: Connection, layout: Layout): Promise<number> {
  const counts = await subscriberCounts(connection, [layout.presence]);
  return counts.get(layout.presence) ?? 0;
}
