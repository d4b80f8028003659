/**
 * A worker of a consumer. It pulls: messages stay in the log until they are asked for. A file does not go away and come
 * back: what can be in the way is another process's lock, which is waited for, and told of when it lasts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { setAlarm } from "../../core/alarm.ts";
import { contentOf, nameOf } from "../../core/entry.ts";
import { BlackboardError, usageError } from "../../core/errors.ts";
import { failureOf } from "../../core/failure.ts";
import { idToNumber } from "../../core/ids.ts";
import type { Entry, Gap } from "../../core/types.ts";
import { type Delivery, failedChannelOf, type Worker, type WorkerOptions } from "../../core/worker.ts";
import { Acks } from "./acks.ts";
import type { Board } from "./board.ts";
import type { Channels } from "./channels.ts";
import type { Desk } from "./desk.ts";
import { isLocked } from "./faults.ts";
import { Lockout, RETRY_MS } from "./lockout.ts";
import { doneUpTo } from "./position.ts";
import { BEAT_MS } from "./registry.ts";
import { Supply } from "./supply.ts";
import type { Waker } from "./waker.ts";

/** How long after it has done something its row learns of it, in milliseconds. */
const SAVE_MS = 1000;

/** What a worker is made of. */
export interface WorkerParts {
  readonly board: Board;
  readonly channels: Channels;
  readonly desk: Desk;
  /** The consumer is done with everything selected up to here. */
  readonly position: number;
  /** Whether the consumer had no living worker when this one came. */
  readonly isAlone: boolean;
  readonly onState: WorkerOptions["onState"];
  readonly waker: Waker;
  /** Told once, when it is closed in whatever way. */
  readonly onEnd: () => void;
}

export class MemoryWorker implements Worker<Entry> {
  readonly #board: Board;
  readonly #channels: Channels;
  readonly #desk: Desk;
  readonly #waker: Waker;
  readonly #onState: WorkerOptions["onState"];
  readonly #onEnd: () => void;
  readonly #lockout: Lockout;
  readonly #supply: Supply;
  readonly #acks: Acks;
  readonly #beat: NodeJS.Timeout;
  /** When its row was last written, in milliseconds since the epoch, and whether anything was done since. */
  #savedAt = Date.now();
  #isChanged = false;
  /** Whether it has said that it waits for what a lost worker holds. */
  #hasTold = false;
  #failure: unknown = null;
  #isClosed = false;

  constructor({ board, channels, desk, position, isAlone, onState, waker, onEnd }: WorkerParts) {
    this.#board = board;
    this.#channels = channels;
    this.#desk = desk;
    this.#waker = waker;
    this.#onState = onState;
    this.#onEnd = onEnd;
    this.#supply = new Supply(board, desk, position, isAlone);
    this.#lockout = new Lockout(board.db, onState);
    this.#acks = new Acks(board.db, desk, this.#lockout);
    this.#beat = setInterval(this.#renew, Math.min(SAVE_MS, desk.member.ackTimeoutMs / 6)).unref();
  }

  /** The first look is at once a try: where one message was, the next is most often there. */
  async take(most: number, signal: AbortSignal): Promise<ReadonlyArray<Delivery<Entry> | Gap>> {
    signal.addEventListener("abort", this.#waker.wake);
    try {
      for (
        let due = 0;
        !this.#isClosed && !signal.aborted;
        due = this.#ask(() => this.#supply.nextDue(), 0)
      ) {
        const items = due > Date.now() ? [] : this.#tryTaking(most);
        if (items.length > 0) {
          this.#isChanged = true;
          return items;
        }
        if (due > Date.now()) this.#tellWait();
        await this.#wait(this.#lockout.isOn ? Math.max(due, Date.now() + RETRY_MS) : due);
      }
      return [];
    } finally {
      signal.removeEventListener("abort", this.#waker.wake);
    }
  }

  ack(delivery: Delivery<Entry>): Promise<void> {
    this.#isChanged = true;
    return this.#acks.add(numberOf(delivery));
  }

  async retry(delivery: Delivery<Entry>): Promise<Delivery<Entry> | null> {
    const attempt = await this.#whenFree(() =>
      this.#board.db.write(() => this.#desk.again(numberOf(delivery))),
    );
    return attempt === null ? null : { entry: delivery.entry, attempt };
  }

  async giveUp(delivery: Delivery<Entry>, reason: string): Promise<boolean> {
    const n = numberOf(delivery);
    const { name: consumer, agent } = this.#desk.member;
    const { entry, attempt: attempts } = delivery;
    const failure = failureOf(entry, { consumer, attempts, reason });
    const letter = { channel: failedChannelOf(nameOf(entry)), payload: contentOf(entry), agent, failure };
    this.#isChanged = true;
    return this.#whenFree(() =>
      this.#board.change((now) => {
        if (!this.#desk.doneIfMine(n)) return false;
        this.#channels.send(letter, now);
        return true;
      }),
    );
  }

  async release(delivery: Delivery<Entry>): Promise<void> {
    await this.#whenFree(() => this.#board.db.write(() => this.#desk.giveBack(numberOf(delivery))));
  }

  /** The next to ask it gets this error. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#waker.wake();
  }

  /** What cannot be written now, in a locked or lost file, others find out when it shows no life any more. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#beat);
    this.#waker.stop();
    this.#onEnd();
    try {
      this.#leave();
    } catch (error) {
      if (!(error instanceof BlackboardError) || error.kind !== "unavailable") throw error;
    } finally {
      this.#acks.close();
    }
  }

  /** Tries until another process's lock is gone, or this worker. */
  async #whenFree<Result>(work: () => Result): Promise<Result> {
    for (;;) {
      try {
        return this.#lockout.attempt(work);
      } catch (error) {
        if (!isLocked(error) || this.#isClosed) throw error;
      }
      await sleep(RETRY_MS);
    }
  }

  #leave(): void {
    this.#board.db.write(() => {
      this.#acks.writeAll();
      this.#desk.leave();
    });
    this.#acks.resolveAll();
  }

  #tryTaking(most: number): ReadonlyArray<Delivery<Entry> | Gap> {
    return this.#ask(() => this.#lockout.attempt(() => this.#supply.take(most)), []);
  }

  #ask<Answer>(question: () => Answer, whenLocked: Answer): Answer {
    if (this.#failure !== null) throw this.#failure;
    try {
      return question();
    } catch (error) {
      if (isLocked(error)) return whenLocked;
      throw error;
    }
  }

  #tellWait(): void {
    const lost = this.#hasTold ? null : this.#ask(() => this.#supply.lost(), null);
    if (lost === null) return;
    this.#hasTold = true;
    const atMostMs = Math.max(0, lost.due - Date.now());
    this.#onState({ state: "waiting", store: "memory", held: lost.held, atMostMs });
  }

  async #wait(due: number): Promise<void> {
    const cancel = due === Number.POSITIVE_INFINITY ? null : setAlarm(due - Date.now(), this.#waker.wake);
    await this.#waker.next();
    cancel?.();
  }

  /** How long its row may stay as it is. */
  #restMs(): number {
    const { holdsSomething, member } = this.#desk;
    const saveMs = this.#isChanged || this.#supply.hasPassed ? SAVE_MS : BEAT_MS;
    return holdsSomething ? Math.min(saveMs, member.ackTimeoutMs / 3) : saveMs;
  }

  /** Keeps what it holds, and lets retention know how far it is. */
  readonly #renew = (): void => {
    if (Date.now() < this.#savedAt + this.#restMs()) return;
    try {
      const renew = () => {
        this.#supply.save();
        this.#desk.renew(doneUpTo(this.#board, this.#desk.member));
      };
      this.#lockout.attempt(() => this.#board.db.write(renew));
      this.#isChanged = false;
      this.#savedAt = Date.now();
    } catch (error) {
      // A locked file is tried again next time; if it is gone for good, taking and acknowledging say so.
      if (error instanceof BlackboardError && error.kind === "unavailable") return;
      this.fail(error);
    }
  };
}

function numberOf({ entry: { id } }: Delivery<Entry>): number {
  const n = id === null ? null : idToNumber(id);
  if (n === null) throw usageError("a message that is in no log is in no worker's hands");
  return n;
}
