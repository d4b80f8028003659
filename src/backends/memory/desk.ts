/** A worker's place in the board file: its row in the registry, and what it holds. Changes need a write transaction around them. */
import { writeSelection } from "../../core/selection.ts";
import type { AnySelection } from "../../core/types.ts";
import { numberIn, textIn } from "./cells.ts";
import type { Database } from "./database.ts";
import type { Registry } from "./registry.ts";
import type { Choice } from "./selection.ts";

/** Who works, for whom, at what. */
export interface Member {
  /** The consumer's row, and its name. */
  readonly consumer: number;
  readonly name: string;
  /** The consumer reads no channel from before this number's next. */
  readonly start: number;
  readonly worker: string;
  readonly agent: string;
  readonly selection: AnySelection;
  readonly choice: Choice;
  readonly ackTimeoutMs: number;
}

const KNOWN = "SELECT selection FROM consumers WHERE id = ?";
const HOLD = "INSERT INTO pending (consumer, n, stream, worker, due, attempt) VALUES (?, ?, ?, ?, ?, 1)";
const TAKE_OVER = `UPDATE pending SET worker = ?, due = ?, attempt = attempt + 1
  WHERE consumer = ? AND n = ?`;
const AGAIN = `UPDATE pending SET due = ?, attempt = attempt + 1
  WHERE consumer = ? AND n = ? AND worker = ? RETURNING attempt`;
const DONE = "DELETE FROM pending WHERE consumer = ? AND n = ?";
const DONE_MINE = "DELETE FROM pending WHERE consumer = ? AND n = ? AND worker = ?";
const RENEW = "UPDATE pending SET due = ? WHERE consumer = ? AND worker = ?";
/** It was not tried: the attempt does not count. */
const GIVE_BACK = `UPDATE pending SET worker = '', due = 0, attempt = attempt - 1
  WHERE consumer = ? AND n = ? AND worker = ?`;
const GIVE_ALL_BACK = `UPDATE pending SET worker = '', due = 0, attempt = attempt - 1
  WHERE consumer = ? AND worker = ?`;

export class Desk {
  readonly member: Member;
  readonly #db: Database;
  readonly #registry: Registry;
  /** What was handed to it and neither done nor given back, as far as it knows. */
  readonly #held = new Set<number>();
  readonly #selection: string;
  #row: number;

  constructor(db: Database, registry: Registry, member: Member, position: number) {
    this.#db = db;
    this.#registry = registry;
    this.member = member;
    this.#selection = writeSelection(member.selection);
    this.#row = this.#register(position);
  }

  get holdsSomething(): boolean {
    return this.#held.size > 0;
  }

  /** Whether the consumer is there, and (of keys) still watches what this worker does: another may have come after it seemed dead. */
  standing(): "known" | "deleted" | "replaced" {
    const row = this.#db.get(KNOWN, this.member.consumer);
    if (row === undefined) return "deleted";
    const isOther = this.member.choice.isOfKeys && textIn(row, "selection") !== this.#selection;
    return isOther ? "replaced" : "known";
  }

  /** Whether the consumer has another worker whose process runs. */
  hasCompany(): boolean {
    const { consumer, worker } = this.member;
    return this.#registry
      .live()
      .some(({ worker: row }) => row !== null && row.consumer === consumer && row.worker !== worker);
  }

  hold(n: number, stream: number): void {
    const { consumer, worker } = this.member;
    this.#db.run(HOLD, consumer, n, stream, worker, this.#due());
    this.#held.add(n);
  }

  takeOver(n: number): void {
    const { consumer, worker } = this.member;
    this.#db.run(TAKE_OVER, worker, this.#due(), consumer, n);
    this.#held.add(n);
  }

  /** Which attempt it is now; `null` if it is another's. */
  again(n: number): number | null {
    const { consumer, worker } = this.member;
    const row = this.#db.get(AGAIN, this.#due(), consumer, n, worker);
    return row === undefined ? this.#lost(n) : numberIn(row, "attempt");
  }

  /** Whoever holds it: what is done is done. */
  done(n: number): void {
    this.#held.delete(n);
    this.#db.run(DONE, this.member.consumer, n);
  }

  /** False, and nothing is done, if it is another's. */
  doneIfMine(n: number): boolean {
    this.#held.delete(n);
    return this.#db.run(DONE_MINE, this.member.consumer, n, this.member.worker) > 0;
  }

  giveBack(n: number): void {
    this.#held.delete(n);
    this.#db.run(GIVE_BACK, this.member.consumer, n, this.member.worker);
  }

  /** A sign of life, for its row and for what it holds. */
  renew(position: number): void {
    const { consumer, worker } = this.member;
    this.#db.run(RENEW, this.#due(), consumer, worker);
    if (this.#registry.beat(this.#row, position) || this.standing() !== "known") return;
    this.#row = this.#register(position); // it was taken for dead
  }

  leave(): void {
    this.#held.clear();
    this.#db.run(GIVE_ALL_BACK, this.member.consumer, this.member.worker);
    this.#registry.remove(this.#row);
  }

  #register(position: number): number {
    return this.#registry.insert(this.member.selection, position, this.member);
  }

  #lost(n: number): null {
    this.#held.delete(n);
    return null;
  }

  #due(): number {
    return Date.now() + this.member.ackTimeoutMs;
  }
}
