/**
 * A running subscription. It pulls: entries stay in the log until the loop asks for them, so a slow loop costs no
 * memory. A file does not go away and come back; all there is to tell of is another process's lock that lasts.
 */
import { setImmediate as breath } from "node:timers/promises";
import type { Follower, FollowOptions } from "../../core/backend.ts";
import type { AnySelection, Entry, Gap } from "../../core/types.ts";
import type { Database } from "./database.ts";
import { beginningOf } from "./history.ts";
import { Presence, type Surroundings } from "./presence.ts";
import { Reader } from "./reader.ts";
import { compileSelection } from "./selection.ts";
import { Streams } from "./streams.ts";
import { Waker } from "./waker.ts";

/** What is followed, and how far. */
export interface Wanted extends Pick<FollowOptions, "from" | "live" | "onState"> {
  readonly selection: AnySelection;
}

/** What only a live one has. */
interface Live {
  readonly waker: Waker;
  readonly presence: Presence;
}

export class MemoryFollower implements Follower<Entry | Gap> {
  readonly ready: Promise<void>;
  readonly #around: Surroundings;
  readonly #db: Database;
  readonly #wanted: Wanted;
  readonly #onEnd: () => void;
  /** `null` before it has begun and after its loop has ended. */
  #reader: Reader | null = null;
  /** `null` if it is not live, or not any more. */
  #live: Live | null = null;
  #failure: unknown = null;
  #hasBegun = false;

  /** @param onEnd told when nothing is read any more */
  constructor(around: Surroundings, wanted: Wanted, onEnd: () => void) {
    this.#around = around;
    this.#db = around.board.db;
    this.#wanted = wanted;
    this.#onEnd = onEnd;
    this.ready = this.#start();
    this.ready.catch(onEnd); // the loop throws it, too: nobody has to look at `ready`
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Entry | Gap, void, undefined> {
    try {
      await this.ready;
      for (;;) {
        const isEnding = this.#live === null;
        const isMore = this.#turnPage();
        yield* this.#page();
        if (isMore) await breath();
        else if (isEnding) return;
        else await this.#live?.waker.next();
      }
    } finally {
      this.#reader = null;
      await this.close();
      this.#onEnd();
    }
  }

  /** What has arrived stays in the log and is read from there; retention does not wait for it any more. */
  async close(): Promise<void> {
    this.#orFail(() => this.#beginOnce());
    const live = this.#live;
    if (live === null) return;
    this.#live = null;
    live.waker.stop();
    live.presence.end();
    this.#orFail(() => this.#db.snapshot(() => this.#reader?.end()));
  }

  /** Closes it because the file is let go of: what has arrived is taken into memory, as far as it may be. */
  async letGo(): Promise<void> {
    await this.close();
    this.#orFail(() => this.#reader?.hold());
  }

  async #start(): Promise<void> {
    if (this.#isOfKeys) await this.#around.expiries.clear(() => this.#hasBegun);
    this.#beginOnce();
  }

  /** As it is closed at the latest: the file may be let go of then. */
  #beginOnce(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    if (this.#wanted.live) this.#beginLive();
    else this.#db.snapshot(() => this.#begin().end());
  }

  /** The watch comes before the row: from then on nothing can go unnoticed. */
  #beginLive(): void {
    const companion = this.#isOfKeys ? this.#around.expiries.watch(this.#fail) : null;
    const waker = new Waker(this.#db.path, { companion });
    try {
      const { selection, onState } = this.#wanted;
      const told = { onState, onFailure: this.#fail };
      const presence = this.#db.write(() => new Presence(this.#around, selection, this.#begin(), told));
      this.#live = { waker, presence };
    } catch (error) {
      waker.stop();
      throw error;
    }
  }

  get #isOfKeys(): boolean {
    return "keys" in this.#wanted.selection;
  }

  #begin(): Reader {
    const streams = new Streams(this.#db, compileSelection(this.#wanted.selection));
    const beginning = beginningOf(this.#around.board, streams, this.#wanted.from);
    this.#reader = new Reader(this.#db, streams, beginning);
    return this.#reader;
  }

  #turnPage(): boolean {
    if (this.#failure !== null) throw this.#failure;
    return this.#reader?.turnPage() ?? false;
  }

  *#page(): Generator<Entry | Gap, void, undefined> {
    for (let item = this.#next(); item !== null; item = this.#next()) yield item;
  }

  #next(): Entry | Gap | null {
    if (this.#reader?.hasRead) this.#live?.presence.saveSoon();
    return this.#reader?.next() ?? null;
  }

  #orFail(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The loop throws it. */
  readonly #fail = (error: unknown): void => {
    this.#failure ??= error;
    this.#live?.waker.wake();
  };
}
