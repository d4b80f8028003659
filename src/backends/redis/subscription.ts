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
import type { Entry, Failure, Message, Selection } from "../../core/types.ts";
import { CHANGES, envelopeOf, envelopePattern, isOwn, type Layout, markerOf } from "./layout.ts";

/** Channels of Redis's own, on which it tells of changes of keys. */
const KEY_EVENT = /^__key(space|event)@\d+__:/;

/** What comes of listening, and its place in a log; `null`: a foreign client's doing, which is in none. */
export interface Delivery {
  readonly number: number | null;
  /** Whose log that is; `CHANGES`: that of the changes. */
  readonly channel: string;
  readonly entry: Entry;
}

/** The fields of an entry of a log. */
export type Fields = ReadonlyMap<string, Buffer>;

/** What is followed: how it is listened to, and how it is read from the logs. */
export interface Source {
  /** The arguments of one SUBSCRIBE, and of one PSUBSCRIBE; of the latter there may be none. */
  readonly channelArguments: readonly string[];
  readonly patternArguments: readonly string[];
  /** Whether a log may hold something of it. */
  matches(channel: string): boolean;
  /** Forgets what is half read of a connection that is gone. */
  restart(): void;
  /** Reads one delivery of the server's. */
  receive(
    pattern: string | null,
    channel: Buffer,
    payload: Buffer,
    deliver: (delivery: Delivery) => void,
  ): void;
  /** An entry of a log; `null` if it is not of what is followed. */
  entryOf(channel: string, number: number, fields: Fields): Entry | null;
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

export class Subscription implements Source {
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
    if (channel === CHANGES) return false; // which a pattern may match
    return this.#channels.has(channel) || this.#canonical(channel) !== undefined;
  }

  /** Forgets a half-read pair of a connection that is gone. */
  restart(): void {
    this.#envelope = null;
  }

  receive(
    pattern: string | null,
    channel: Buffer,
    payload: Buffer,
    deliver: (delivery: Delivery) => void,
  ): void {
    const delivery = this.read(pattern, channel, payload);
    if (delivery !== null) deliver(delivery);
  }

  entryOf(channel: string, number: number, fields: Fields): Message | null {
    const payload = fields.get("payload");
    if (payload === undefined) return null; // nothing that timmy-bb wrote
    const by = fields.get("by")?.toString("utf8") ?? "";
    const failure = readFailure(fields.get("failure")?.toString("utf8") ?? "");
    return message(channel, payload, { number, by, failure });
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
      return { number: envelope.number, channel, entry: message(channel, payload, envelope) };
    }
    const foreign = { channel, payload, id: null, by: null, at: Date.now(), failure: null };
    return { number: null, channel, entry: foreign };
  }

  /** Of the patterns that match a channel, the one whose deliveries count: the first. */
  #canonical(channel: string): Pattern | undefined {
    const name = encodeName(channel);
    return this.#patterns.find(({ matches }) => matches(name));
  }
}

/** What the log and the envelope tell of a message. */
type Known = Pick<Envelope, "number" | "by" | "failure">;

/** A message that is in the log. */
function message(channel: string, payload: Buffer, { number, by, failure }: Known): Message {
  return { channel, payload, id: numberToId(number), by, at: numberToMs(number), failure };
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
