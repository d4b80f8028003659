/**
 * The names of timmy-bb's own keys and channels in Redis. `docs/redis-layout.md` tells the same to people who write
 * in other languages.
 */
import { BlackboardError } from "../../core/errors.ts";
import { escapeGlob } from "../../core/glob.ts";
import { OWN_ROOT } from "../../core/names.ts";

/** Everything below one board's root. Roots and channels are names in the sense of `names.ts`. */
export interface Layout {
  /** `timmy-bb:{<prefix>}:`, or `timmy-bb:@<prefix>:` if the prefix has a hash tag of its own. */
  readonly root: string;
  /** The last id given, as a number. */
  readonly id: string;
  /** Channels with retained messages, by the number of the newest. */
  readonly channels: string;
  /** Every live follower of the board listens here, so that `PUBSUB NUMSUB` counts them. */
  readonly presence: string;
  /** Followers of several patterns listen here: one publish may reach such a follower more than once. */
  readonly several: string;
  /** Those who follow keys are told here in how many milliseconds the next one expires. */
  readonly due: string;
  /** Keys by the number of the write that made them: the oldest first. */
  readonly firsts: string;
  /** Locks of which something is known, by until when it is kept, in milliseconds. */
  readonly locks: string;
  /** Changed by those who follow keys, to see whether the server tells them. */
  readonly test: string;
  /** A glob for all keys of the board. */
  readonly all: string;
  /** Some name a user's key could have; on a Cluster it must be in the slot of the root. */
  readonly probe: string;
  /** Everything of ours on the prefix is in one slot, and a Cluster can carry it. */
  readonly hasHashTag: boolean;
}

export function layoutOf(prefix: string): Layout {
  checkPrefix(prefix);
  const tagged = hasHashTag(prefix);
  const root = tagged ? `${OWN_ROOT}@${prefix}:` : `${OWN_ROOT}{${prefix}}:`;
  return {
    root,
    id: `${root}id`,
    channels: `${root}channels`,
    presence: `${root}followers`,
    several: `${root}several`,
    due: `${root}due`,
    firsts: `${root}firsts`,
    locks: `${root}locks`,
    test: `${root}test`,
    all: prefix === "" ? "*" : `${escapeGlob(prefix)}:*`,
    probe: prefix === "" ? "probe" : `${prefix}:probe`,
    hasHashTag: tagged,
  };
}

/** The changes of keys count as the messages of a channel without a name, which no user's channel can be. */
export const CHANGES = "";

/** The stream of one channel's messages, or of the changes. */
export function streamOf(layout: Layout, channel: string): string {
  return channel === CHANGES ? `${layout.root}changes` : `${layout.root}channel:${channel}`;
}

/** Where those who follow a key hear of its changes. */
export function changeOf(layout: Layout, key: string): string {
  return `${layout.root}change:${key}`;
}

/** A glob for the same of all keys a glob matches. */
export function changePattern(layout: Layout, pattern: string): string {
  return `${escapeGlob(layout.root)}change:${pattern}`;
}

/** Where Redis itself tells what happens to a key. https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/ */
export function keyspaceOf(database: number, key: string): string {
  return `__keyspace@${database}__:${key}`;
}

/** Where a message's id and author go just before the message itself. */
export function envelopeOf(layout: Layout, channel: string): string {
  return `${layout.root}envelope:${channel}`;
}

/** A glob for the envelopes of all channels a glob matches. */
export function envelopePattern(layout: Layout, pattern: string): string {
  return `${escapeGlob(layout.root)}envelope:${pattern}`;
}

/** Up to which message of each channel a consumer's workers were handed all. */
export function positionsOf(layout: Layout, consumer: string): string {
  return `${layout.root}positions:${consumer}`;
}

/** The workers of a consumer are told here which channel has something for them again. */
export function nudgeOf(layout: Layout, consumer: string): string {
  return `${layout.root}nudge:${consumer}`;
}

/** A worker listens here as long as its process lives. No name holds a line break, so what is before it is clear. */
export function workerOf(layout: Layout, consumer: string, member: string): string {
  return `${layout.root}worker:${consumer}\n${member}`;
}

/** Who stands in line for a lock is told here to ask again. */
export function turnOf(layout: Layout, token: string): string {
  return `${layout.root}turn:${token}`;
}

/**
 * A follower of patterns listens here too, because Redis tells nobody which patterns are being followed. JSON keeps
 * bytes that are not UTF-8, too: it escapes the lone surrogates that stand for them.
 */
export function markerOf(layout: Layout, patterns: readonly string[]): string {
  return `${markerStart(layout)}${JSON.stringify(patterns)}`;
}

export function markerStart(layout: Layout): string {
  return `${layout.root}follower:`;
}

/** Bookkeeping of this or any other board, which is never shown as a key or a message. */
export function isOwn(name: string): boolean {
  return name.startsWith(OWN_ROOT);
}

/** Redis's rule: the first `{`, if a `}` follows with something between. */
function hasHashTag(prefix: string): boolean {
  const open = prefix.indexOf("{");
  return open >= 0 && prefix.indexOf("}", open) > open + 1;
}

/** A prefix inside our own root would make users' keys look like bookkeeping, and the other way round. */
function checkPrefix(prefix: string): void {
  if (!`${prefix}:`.startsWith(OWN_ROOT)) return;
  throw new BlackboardError("config", `the prefix "${prefix}" is timmy-bb's own`, {
    hint: "choose another prefix",
  });
}
