/**
 * What a follower asks the server for, and how it reads what comes: each message once, whatever overlaps.
 *
 * The publish script sends an envelope (database, id, author, failure) on a channel of ours and then the payload on the user's.
 * Nothing can reach a connection between the two, so the payload right behind an envelope of its channel is the
 * envelope's twin, and any other payload was sent by a foreign client.
 */

import { readFailure } from "../../core/failure.ts";
import { compileGlob, type Matcher } from "../../core/glob.ts";
import { idToNumber, numberToId, numberToMs } from "../../core/ids.ts";
import { decodeName, encodeName } from "../../core/names.ts";
import type { Failure, Message, Selection } from "../../core/types.ts";
import { envelopeOf, envelopePattern, isOwn, type Layout, markerOf } from "./layout.ts";

/** Channels of Redis's own, on which it tells of changes of keys. */
const KEY_EVENT = /^__key(space|event)@\d+__:/;

/** A message and its place in the log; `null`: a foreign client's, which has none. */
export interface Delivery {
  readonly number: number | null;
  readonly message: Message;
}

interface Envelope {
  readonly database: number;
  readonly channel: string;
  readonly number: number;
  readonly by: string;
  readonly failure: Failure | null;
}

interface Pattern {
  readonly text: string;
  /** As ioredis names it in a delivery: bytes that are not UTF-8 are lost there, on both sides alike. */
  readonly wire: string;
  readonly matches: Matcher;
}

export class Subscription {
  readonly #layout: Layout;
  readonly #database: number;
  readonly #patterns: readonly Pattern[];
  /** Exact names that no pattern covers: a channel covered twice would be delivered twice. */
  readonly #channels: ReadonlySet<string>;
  readonly #envelopeStart: string;
  #envelope: Envelope | null = null;

  constructor(layout: Layout, database: number, selection: Selection) {
    this.#layout = layout;
    this.#database = database;
    this.#patterns = [...new Set(selection.patterns)].map(toPattern);
    this.#channels = new Set(selection.channels.filter((channel) => this.#canonical(channel) === undefined));
    this.#envelopeStart = envelopeOf(layout, "");
  }

  /**
   * The arguments of one SUBSCRIBE. One command is one step on the server, so an envelope and its twin are either both
   * delivered or neither.
   */
  get channelArguments(): readonly string[] {
    const pairs = [...this.#channels].flatMap((channel) => [envelopeOf(this.#layout, channel), channel]);
    return [...pairs, this.#layout.presence, ...this.#markers()];
  }

  /** The arguments of one PSUBSCRIBE; may be none. */
  get patternArguments(): readonly string[] {
    return this.#patterns.flatMap(({ text }) => [envelopePattern(this.#layout, text), text]);
  }

  matches(channel: string): boolean {
    return this.#channels.has(channel) || this.#canonical(channel) !== undefined;
  }

  /** Forgets a half-read pair of a connection that is gone. */
  restart(): void {
    this.#envelope = null;
  }

  /** Reads one delivery; `null` if there is nothing to hand on. */
  read(pattern: string | null, channelBytes: Buffer, payload: Buffer): Delivery | null {
    const channel = decodeName(channelBytes);
    if (channel.startsWith(this.#envelopeStart)) {
      this.#envelope = toEnvelope(channel.slice(this.#envelopeStart.length), payload);
      return null;
    }
    if (isOwn(channel)) return null; // with an empty prefix, `*` matches bookkeeping too
    if (pattern !== null && KEY_EVENT.test(channel)) return null; // and what Redis tells of keys, which is no message
    if (pattern !== null && this.#canonical(channel)?.wire !== pattern) return null; // comes by another pattern too
    return this.#pair(channel, payload);
  }

  #markers(): readonly string[] {
    const patterns = this.#patterns.map(({ text }) => text);
    if (patterns.length === 0) return [];
    return [markerOf(this.#layout, patterns), ...(patterns.length > 1 ? [this.#layout.several] : [])];
  }

  #pair(channel: string, payload: Buffer): Delivery | null {
    const envelope = this.#envelope;
    this.#envelope = null;
    if (envelope?.channel === channel) {
      // Redis's channels know no databases: the board of the same prefix in another one is not this board.
      if (envelope.database !== this.#database) return null;
      return delivery(channel, payload, envelope);
    }
    const message = { channel, payload, id: null, by: null, at: Date.now(), failure: null };
    return { number: null, message };
  }

  /** Of the patterns that match a channel, the one whose deliveries count: the first. */
  #canonical(channel: string): Pattern | undefined {
    const name = encodeName(channel);
    return this.#patterns.find(({ matches }) => matches(name));
  }
}

/** What the log and the envelope tell of a message. */
export type Known = Pick<Envelope, "number" | "by" | "failure">;

/** A message with its place in the log. */
export function delivery(channel: string, payload: Buffer, { number, by, failure }: Known): Delivery {
  const message = { channel, payload, id: numberToId(number), by, at: numberToMs(number), failure };
  return { number, message };
}

/**
 * `<database> <id> <author>`, and on a line of its own the failure, if there is one; no name holds a line break. Anything
 * else was not sent by timmy-bb and announces nothing.
 */
function toEnvelope(channel: string, payload: Buffer): Envelope | null {
  const parts = /^(\d{1,9}) (\S+) ([^\n]*)(?:\n(.*))?$/s.exec(payload.toString("utf8"));
  const number = idToNumber(parts?.[2] ?? "");
  if (parts === null || number === null) return null;
  const failure = parts[4] === undefined ? null : readFailure(parts[4]);
  return { channel, database: Number(parts[1]), number, by: parts[3] ?? "", failure };
}

function toPattern(text: string): Pattern {
  return { text, wire: encodeName(text).toString("utf8"), matches: compileGlob(text) };
}
