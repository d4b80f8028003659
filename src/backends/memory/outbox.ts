/**
 * What is written without asking what is there: messages, and plain `set`s. What is asked for without waiting for one another goes together,
 * in the order in which it was asked for: the transaction is most of what one costs (about 30 µs), and many are asked for at once when a
 * program's output is streamed.
 */
import { MAX_LOGGED_VALUE_BYTES, type SetOptions } from "../../core/backend.ts";
import type { SetResult } from "../../core/conditional.ts";
import { numberToId } from "../../core/ids.ts";
import { encodeName } from "../../core/names.ts";
import type { Bytes, PublishResult } from "../../core/types.ts";
import { type Board, checkSize } from "./board.ts";
import type { Channels, Sent } from "./channels.ts";
import type { Entries } from "./entries.ts";
import type { KeyRow } from "./rows.ts";
import type { RunRow } from "./runs.ts";

/** One transaction takes so many of them, or bytes, or one: others wait for the file meanwhile (about 4 ms). */
const MOST_TOGETHER = 1000;
const MOST_BYTES = 1024 * 1024;

/** A message or a `set`, and who wants to know what became of it. */
type Outgoing = OutgoingMessage | OutgoingSet;

interface OutgoingMessage extends Told {
  readonly channel: string;
  readonly row: { readonly name: null; readonly data: Bytes };
}

interface OutgoingSet extends Told {
  readonly channel: null;
  readonly row: KeyRow;
  readonly ttlMs: number | null;
}

interface Told {
  readonly agent: string;
  /** Gets the number of its entry. */
  readonly resolve: (n: number, receivers: number) => void;
  readonly reject: (error: unknown) => void;
}

/** What goes together so far. */
interface Front {
  readonly first: Outgoing;
  readonly count: number;
  readonly bytes: number;
}

export class Outbox {
  readonly #board: Board;
  readonly #channels: Channels;
  readonly #entries: Entries;
  #outgoing: Outgoing[] = [];

  constructor(board: Board, channels: Channels, entries: Entries) {
    this.#board = board;
    this.#channels = channels;
    this.#entries = entries;
  }

  /** Logs the message, which is how followers get it, and counts them; before anything else is done with the file. */
  publish(channel: string, payload: Bytes, agent: string): Promise<PublishResult> {
    return new Promise((done, reject) => {
      checkSize("payload", payload);
      const resolve = (n: number, receivers: number) => done({ receivers, id: numberToId(n) });
      this.#add({ channel, row: { name: null, data: payload }, agent, resolve, reject });
    });
  }

  /** Writes the value; before anything else is done with the file. `null`: this one has to be written by itself. */
  set(key: string, value: Bytes, options: SetOptions): Promise<SetResult> | null {
    const { ttlMs, condition, fence, agent } = options;
    if (condition !== null || fence !== null || ttlMs === "keep") return null;
    if (value.length > MAX_LOGGED_VALUE_BYTES) return null;
    return new Promise((done, reject) => {
      const resolve = (n: number) => done({ written: true, id: numberToId(n) });
      this.#add({
        channel: null,
        row: { name: encodeName(key), data: value },
        ttlMs,
        agent,
        resolve,
        reject,
      });
    });
  }

  #add(outgoing: Outgoing): void {
    if (this.#outgoing.length === 0) this.#board.db.putOff(this.#sendAll);
    this.#outgoing.push(outgoing);
  }

  readonly #sendAll = (): void => {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    for (const together of cut(outgoing, fits)) this.#send(together);
  };

  #send(together: readonly Outgoing[]): void {
    try {
      const sent = this.#board.change(
        (now) => cut(together, isAlike).map((run) => ({ run, ...this.#write(run, now) })),
        together.length,
      );
      for (const { run, n, receivers } of sent)
        run.forEach(({ resolve }, index) => {
          resolve(n + index, receivers);
        });
    } catch (error) {
      for (const { reject } of together) reject(error);
    }
  }

  #write(run: readonly Outgoing[], now: number): Sent {
    const first = run[0] as Outgoing;
    const rows: readonly RunRow[] = run.map(({ row }) => row);
    if (first.channel !== null) return this.#channels.sendAll(first.channel, rows, first.agent, now);
    const n = this.#entries.putAll(rows as readonly KeyRow[], first.ttlMs, first.agent, now);
    return { n, receivers: 0 };
  }
}

/** Cuts before each that does not go with those in front of it. */
function cut(
  outgoing: readonly Outgoing[],
  goesWith: (next: Outgoing, front: Front) => boolean,
): Outgoing[][] {
  let slice: Outgoing[] = [];
  let bytes = 0;
  const slices = [slice];
  for (const next of outgoing) {
    const [first] = slice;
    if (first !== undefined && !goesWith(next, { first, count: slice.length, bytes })) {
      slice = [];
      bytes = 0;
      slices.push(slice);
    }
    slice.push(next);
    bytes += next.row.data.length;
  }
  return slices;
}

function fits(next: Outgoing, { count, bytes }: Front): boolean {
  return count < MOST_TOGETHER && bytes + next.row.data.length <= MOST_BYTES;
}

function isAlike(next: Outgoing, { first }: Front): boolean {
  if (next.channel !== first.channel || next.agent !== first.agent) return false;
  return next.channel !== null || (first.channel === null && next.ttlMs === first.ttlMs);
}
