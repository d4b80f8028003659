/** Acknowledgements on their way into the file: those of one turn of the event loop share a transaction. */
import { BlackboardError } from "../../core/errors.ts";
import type { Database } from "./database.ts";
import type { Desk } from "./desk.ts";
import { isLocked } from "./faults.ts";
import { type Lockout, RETRY_MS } from "./lockout.ts";

interface Ack {
  readonly n: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Acks {
  readonly #db: Database;
  readonly #desk: Desk;
  readonly #lockout: Lockout;
  #waiting: Ack[] = [];
  #isClosed = false;

  constructor(db: Database, desk: Desk, lockout: Lockout) {
    this.#db = db;
    this.#desk = desk;
    this.#lockout = lockout;
  }

  add(n: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ n, resolve, reject });
      if (this.#isClosed) this.close();
      else if (this.#waiting.length === 1) setImmediate(this.#write);
    });
  }

  /** Those that wait, as part of a write transaction. */
  writeAll(): void {
    for (const { n } of this.#waiting) this.#desk.done(n);
  }

  /** Those that were written are done. */
  resolveAll(): void {
    for (const { resolve } of this.#takeAll()) resolve();
  }

  /** No more tries. */
  close(): void {
    this.#isClosed = true;
    const message = "the worker was closed before its acknowledgement could be written";
    for (const { reject } of this.#takeAll()) reject(new BlackboardError("unknown", message));
  }

  readonly #write = (): void => {
    if (this.#waiting.length === 0) return;
    try {
      this.#lockout.attempt(() => this.#db.write(() => this.writeAll()));
      this.resolveAll();
    } catch (error) {
      if (isLocked(error)) setTimeout(this.#write, RETRY_MS);
      else for (const { reject } of this.#takeAll()) reject(error);
    }
  };

  #takeAll(): readonly Ack[] {
    const acks = this.#waiting;
    this.#waiting = [];
    return acks;
  }
}
