/** Publishing, and what is known of channels. */
import { compileGlob } from "../../core/glob.ts";
import { numberToId } from "../../core/ids.ts";
import { decodeName, encodeName } from "../../core/names.ts";
import type { Bytes, ChannelFacts, Failure, PublishResult } from "../../core/types.ts";
import type { Board } from "./board.ts";
import { bytesIn, numberIn, orNull, type Row } from "./cells.ts";
import { CHANGES, dropOverLimit, type Stream, streamIn } from "./log.ts";
import type { Ear } from "./registry.ts";
import type { RunRow } from "./runs.ts";

/** Unsynced entries are beside `kept`: retention does not count them. */
const STREAMS = `SELECT id, channel, kept, oldest,
  (SELECT count(*) FROM log WHERE stream = streams.id AND unsynced = 1) AS unsynced,
  (SELECT max(n) FROM log WHERE stream = streams.id AND unsynced = 0) AS newest,
  (SELECT max(n) FROM log WHERE stream = streams.id AND unsynced = 1) AS newest_unsynced
  FROM streams WHERE board = ? AND channel > ?`;
const STREAM = "SELECT id, channel, kept, oldest FROM streams WHERE id = ? AND board = ?";
const KEPT_SINCE = "SELECT count(*) AS count FROM log WHERE stream = ? AND unsynced = 0 AND n >= ?";

/** A message to be sent. */
export interface Letter {
  readonly channel: string;
  readonly payload: Bytes;
  readonly agent: string;
  readonly failure: Failure | null;
}

/** What became of messages. */
export interface Sent {
  readonly n: number;
  readonly receivers: number;
}

/** A channel's retained messages. */
export interface Retained {
  readonly channel: Buffer;
  readonly messages: number;
  readonly last: number;
}

export class Channels {
  readonly #board: Board;

  constructor(board: Board) {
    this.#board = board;
  }

  /** Logs the message, which is how followers get it, and counts them. Part of a change of the board. */
  send({ channel, payload, agent, failure }: Letter, now: number): PublishResult {
    const name = encodeName(channel);
    const entry = { kind: "message", channel: name, name: null, data: payload, author: agent } as const;
    const { n, stream } = this.#board.log({ ...entry, failure, board: this.#board.prefix }, now);
    return { receivers: this.#handOut(name, stream), id: numberToId(n) };
  }

  /** The same for many to one channel; the number of the first, which those of the others follow. */
  sendAll(channel: string, rows: readonly RunRow[], author: string, now: number): Sent {
    const name = encodeName(channel);
    const { n, stream } = this.#board.logRun({ kind: "message", channel: name, rows, author }, now);
    return { n, receivers: this.#handOut(name, stream) };
  }

  #handOut(channel: Buffer, stream: Stream): number {
    const { receivers, readByAll } = this.#board.registry.audience(channel);
    dropOverLimit(this.#board.db, stream, this.#board.limitOf(channel), () => readByAll);
    return receivers;
  }

  /** Drops what some of the streams have over their limit and nobody waits for. Needs a write transaction around it. */
  trim(streams: readonly number[]): void {
    const { db, prefix, registry } = this.#board;
    for (const stream of streams) {
      const row = db.get(STREAM, stream, prefix);
      if (row === undefined) continue;
      const channel = bytesIn(row, "channel");
      const readByAll = () => registry.audience(channel).readByAll;
      dropOverLimit(db, streamIn(row), this.#board.limitOf(channel), readByAll);
    }
  }

  list(pattern: string): readonly ChannelFacts[] {
    const { retained, ears } = this.#board.db.read(() => ({
      retained: this.retained(),
      ears: this.#board.registry.live().map(({ ear }) => ear),
    }));
    const found = new Map<string, Retained | null>();
    for (const channel of ears.flatMap((ear) => ear.channels)) found.set(channel, null);
    for (const facts of retained) found.set(decodeName(facts.channel), facts);
    const matches = compileGlob(pattern);
    return [...found]
      .filter(([channel]) => matches(encodeName(channel)))
      .map(([channel, facts]) => describe(channel, facts, ears));
  }

  /** The board's channels that have retained messages. */
  retained(): readonly Retained[] {
    const oldestAllowed = this.#board.oldestAllowed(Date.now());
    const rows = this.#board.db.all(STREAMS, this.#board.prefix, CHANGES);
    return rows.flatMap((row) => this.#retainedIn(row, oldestAllowed));
  }

  /** What a late reader may see: entries that wait for a live follower, or to be dropped, are not retained. */
  #retainedIn(row: Row, oldestAllowed: number): Retained[] {
    const kept = Math.min(
      this.#keptSince(row, oldestAllowed),
      this.#board.settings.history.messagesPerChannel,
    );
    const unsynced = numberIn(row, "unsynced");
    if (kept + unsynced === 0) return [];
    const newest = kept === 0 ? 0 : (orNull(row, "newest", numberIn) ?? 0);
    const last = Math.max(newest, orNull(row, "newest_unsynced", numberIn) ?? 0);
    return [{ channel: bytesIn(row, "channel"), messages: kept + unsynced, last }];
  }

  #keptSince(row: Row, oldestAllowed: number): number {
    const kept = numberIn(row, "kept");
    const oldest = orNull(row, "oldest", numberIn) ?? 0;
    if (kept === 0 || oldest >= oldestAllowed) return kept;
    return numberIn(this.#board.db.one(KEPT_SINCE, numberIn(row, "id"), oldestAllowed), "count");
  }
}

function describe(channel: string, retained: Retained | null, ears: readonly Ear[]): ChannelFacts {
  const name = encodeName(channel);
  const followers = ears.filter((ear) => ear.hears(name)).length;
  if (retained === null) return { channel, messages: 0, followers, lastId: null };
  return { channel, messages: retained.messages, followers, lastId: numberToId(retained.last) };
}
