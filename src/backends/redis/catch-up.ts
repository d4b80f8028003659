/** What a follower missed while it was away, read from the channels' logs. */
import { idToNumber, numberToId } from "../../core/ids.ts";
import { newestNumbers } from "./channels.ts";
import { type Layout, streamOf } from "./layout.ts";
import type { Link } from "./link.ts";
import { asBytes, asList, asNumber, asPairs, asText, type Reply } from "./replies.ts";
import { type Delivery, delivery, type Subscription } from "./subscription.ts";

/** Entries read in one step. */
const PAGE = 200;

/**
 * The retained messages of the followed channels after a number, oldest first; to be asked when the subscription is in
 * force. The channels are read one after the other while others publish, so all are read up to the same number: what is
 * greater comes by the subscription, and a lesser one cannot appear in a log already read.
 */
export async function readMissed(
  link: Link,
  layout: Layout,
  subscription: Subscription,
  after: number,
): Promise<readonly Delivery[]> {
  const id = await link.command("read", "get", layout.id);
  if (id === null) return [];
  const upTo = asNumber(id);
  const newest = await link.run("read", (connection) => newestNumbers(connection, layout, after));
  const missed: Delivery[] = [];
  for (const channel of newest.keys()) {
    if (subscription.matches(channel))
      missed.push(...(await readChannel(link, streamOf(layout, channel), channel, after, upTo)));
  }
  return missed.sort((left, right) => (left.number ?? 0) - (right.number ?? 0));
}

async function readChannel(
  link: Link,
  stream: string,
  channel: string,
  after: number,
  upTo: number,
): Promise<Delivery[]> {
  const entries: Delivery[] = [];
  let last = numberToId(after);
  for (;;) {
    const range = [`(${last}`, numberToId(upTo), "count", PAGE] as const;
    const page = asList(await link.command("read", "xrange", stream, ...range));
    for (const entry of page) {
      last = asText(asList(entry)[0]);
      const read = toDelivery(channel, entry);
      if (read !== null) entries.push(read);
    }
    if (page.length < PAGE) return entries;
  }
}

/** `null` for an entry that timmy-bb cannot have written. */
function toDelivery(channel: string, entry: Reply): Delivery | null {
  const [id, fields] = asList(entry);
  const number = idToNumber(asText(id));
  const known = new Map(asPairs(fields).map(([name, value]) => [asText(name), asBytes(value)]));
  const payload = known.get("payload");
  if (number === null || payload === undefined) return null;
  return delivery(channel, payload, number, known.get("by")?.toString("utf8") ?? "");
}
