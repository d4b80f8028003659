/** What a follower missed while it was away, read from the channels' logs. */
import { idToNumber, numberToId } from "../../core/ids.ts";
import { newestNumbers } from "./channels.ts";
import type { Connection } from "./connection.ts";
import { type Layout, streamOf } from "./layout.ts";
import type { Link } from "./link.ts";
import { asBytes, asList, asNumber, asPairs, asText, type Reply } from "./replies.ts";
import { type Delivery, delivery, type Subscription } from "./subscription.ts";

/** Entries read in one step. */
const PAGE = 200;

/** Where a follower missed something, and who may stop waiting for it. */
export interface Absence {
  readonly link: Link;
  readonly layout: Layout;
  readonly subscription: Subscription;
  /** The number of the last entry seen. */
  readonly after: number;
  /** The newest number of each channel just before the subscription was in force. */
  readonly before: ReadonlyMap<string, number>;
  readonly signal: AbortSignal;
}

/** An entry of a log. */
interface Entry {
  readonly number: number;
  /** The number of the channel's message before it, kept or not; 0 if none is known. */
  readonly before: number;
  readonly delivery: Delivery;
}

export interface Missed {
  /** Oldest first. */
  readonly deliveries: readonly Delivery[];
  /** Whether retention has dropped others. */
  readonly lost: boolean;
}

/**
 * The retained messages of the followed channels after a number; to be asked when the subscription is in force. The
 * channels are read one after the other while others publish, so all are read up to the same number: what is greater
 * comes by the subscription, and a lesser one cannot appear in a log already read.
 */
export async function readMissed(absence: Absence): Promise<Missed> {
  const { link, layout, signal } = absence;
  const id = await link.run("read", (connection) => connection.call("get", layout.id), link.deadline(signal));
  if (id === null) return { deliveries: [], lost: false };
  const read: Missed[] = [];
  for (const channel of (await newerChannels(absence)).keys()) {
    if (absence.subscription.matches(channel)) read.push(await readChannel(absence, channel, asNumber(id)));
  }
  const deliveries = read.flatMap((one) => one.deliveries);
  deliveries.sort((left, right) => (left.number ?? 0) - (right.number ?? 0));
  return { deliveries, lost: read.some(({ lost }) => lost) };
}

function newerChannels({ link, layout, after, signal }: Absence): Promise<ReadonlyMap<string, number>> {
  const list = (connection: Connection) => newestNumbers(connection, layout, after);
  return link.run("read", list, link.deadline(signal));
}

/**
 * One channel's. An entry whose predecessor was not read tells of a loss, unless what there was before the subscription
 * has been read already: then the predecessor came by that. What there was and is not read in the end went with the
 * whole log, which ends when nothing was added for long.
 */
async function readChannel(absence: Absence, channel: string, upTo: number): Promise<Missed> {
  const newest = absence.before.get(channel) ?? 0;
  const deliveries: Delivery[] = [];
  let last = absence.after;
  let place = numberToId(last);
  let lost = false;
  for (;;) {
    const page = await readPage(absence, channel, place, upTo);
    for (const reply of page) {
      place = asText(asList(reply)[0]);
      const entry = toEntry(channel, reply);
      if (entry === null) continue;
      if (last < newest && entry.before > last) lost = true;
      last = entry.number;
      deliveries.push(entry.delivery);
    }
    if (page.length < PAGE) return { deliveries, lost: lost || last < newest };
  }
}

async function readPage(
  { link, layout, signal }: Absence,
  channel: string,
  after: string,
  upTo: number,
): Promise<readonly Reply[]> {
  const range = [`(${after}`, numberToId(upTo), "count", PAGE] as const;
  const read = (connection: Connection) => connection.call("xrange", streamOf(layout, channel), ...range);
  return asList(await link.run("read", read, link.deadline(signal)));
}

/** `null` for an entry that timmy-bb cannot have written. */
function toEntry(channel: string, entry: Reply): Entry | null {
  const [id, fields] = asList(entry);
  const number = idToNumber(asText(id));
  const known = new Map(asPairs(fields).map(([name, value]) => [asText(name), asBytes(value)]));
  const payload = known.get("payload");
  const before = Number(known.get("before") ?? 0);
  const by = known.get("by")?.toString("utf8") ?? "";
  if (number === null || payload === undefined) return null;
  return { number, before, delivery: delivery(channel, payload, number, by) };
}
