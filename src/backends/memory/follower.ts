/**
 * A running subscription. It pulls: messages stay in the log until the loop asks for them, so a slow loop costs no
 * memory; the row in the registry keeps retention away from what was not read yet.
 */
import type { Follower } from "../../core/backend.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { Message, Selection } from "../../core/types.ts";
import type { Database } from "./database.ts";
import { Reader } from "./reader.ts";
import { BEAT_MS, type Registry } from "./registry.ts";
import { compileSelection } from "./selection.ts";
import { Waker } from "./waker.ts";

/** How long after a message the row learns that it was read, in milliseconds; each time costs a small write. */
const SAVE_MS = 1000;

/** What a registered follower has. */
interface Running {
  readonly reader: Reader;
  readonly waker: Waker;
  readonly beat: NodeJS.Timeout;
  /** Its row; another one if it was taken for dead. */
  id: number;
}

export class MemoryFollower implements Follower {
  readonly ready: Promise<void>;
  readonly #db: Database;
  readonly #registry: Registry;
  readonly #selection: Selection;
  readonly #onEnd: () => void;
  /** `null` if it could not be registered. */
  #running: Running | null = null;
  #save: NodeJS.Timeout | null = null;
  /** What had arrived and was not taken when it was closed. */
  #rest: Message[] = [];
  #failure: unknown = null;
  #isClosed = false;
  #isLeft = false;

  /** @param onEnd told once, when it is closed in whatever way */
  constructor(db: Database, registry: Registry, selection: Selection, onEnd: () => void) {
    this.#db = db;
    this.#registry = registry;
    this.#selection = selection;
    this.#onEnd = onEnd;
    this.ready = this.#start();
    this.ready.catch((error: unknown) => {
      this.#failure = error; // the loop throws it, too: nobody has to look at `ready`
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    try {
      await this.ready;
      while (!this.#isClosed) {
        yield* this.#arrived();
        if (!this.#isClosed) await this.#running?.waker.next();
      }
      yield* this.#rest;
      if (this.#failure !== null) throw this.#failure;
    } finally {
      this.#isLeft = true;
      await this.close();
    }
  }

  async close(): Promise<void> {
    this.#stop();
    const running = this.#running;
    this.#running = null;
    if (running !== null) this.#unregister(running.id);
  }

  /** A row that cannot be removed now, in a locked or lost file, is removed when it shows no life any more. */
  #unregister(id: number): void {
    try {
      this.#db.write(() => this.#registry.remove(id));
    } catch (error) {
      if (!(error instanceof BlackboardError) || error.kind !== "unavailable") throw error;
    }
  }

  /** The watch comes before the row: from then on no message can go unnoticed. */
  async #start(): Promise<void> {
    const waker = new Waker(this.#db.path);
    try {
      const { id, position } = this.#registry.add(this.#selection);
      const reader = new Reader(this.#db, compileSelection(this.#selection), position);
      const beat = setInterval(() => this.#beat(), BEAT_MS).unref();
      this.#running = { reader, waker, beat, id };
    } catch (error) {
      waker.stop();
      throw error;
    }
  }

  *#arrived(): Generator<Message, void, undefined> {
    while (!this.#isClosed) {
      const message = this.#running?.reader.next() ?? null;
      if (message === null) return;
      this.#save ??= setTimeout(() => this.#beat(), SAVE_MS).unref();
      yield message;
    }
  }

  /** Takes in what has arrived, unless nobody will ask for it, and ends the waiting. */
  #stop(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onEnd();
    const running = this.#running;
    if (running === null) return;
    clearInterval(running.beat);
    clearTimeout(this.#save ?? undefined);
    if (!this.#isLeft) this.#takeRest(running.reader);
    running.waker.stop();
  }

  #takeRest(reader: Reader): void {
    try {
      for (let message = reader.next(); message !== null; message = reader.next()) this.#rest.push(message);
    } catch (error) {
      this.#failure ??= error;
    }
  }

  /** A sign of life, and how far it has read. */
  #beat(): void {
    this.#save = null;
    const running = this.#running;
    if (running === null) return;
    try {
      this.#db.write(() => this.#writeBeat(running));
    } catch (error) {
      // A locked file is tried again at the next beat; if it is gone for good, the loop's own reading says so.
      if (error instanceof BlackboardError && error.kind === "unavailable") return;
      this.#failure ??= error;
      this.#stop();
    }
  }

  /** Without its row nothing waited for this follower: what it has not read may be gone. */
  #writeBeat(running: Running): void {
    const { position } = running.reader;
    if (this.#registry.beat(running.id, position)) return;
    running.reader.checkNothingLost();
    running.id = this.#registry.insert(this.#selection, position);
  }
}
