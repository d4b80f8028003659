/** What there is for a worker: first what others left, then what is new. */
import { BlackboardError } from "../../core/errors.ts";
import type { Entry, Gap } from "../../core/types.ts";
import { type Delivery, watchesOtherKeys } from "../../core/worker.ts";
import type { Board } from "./board.ts";
import type { Desk } from "./desk.ts";
import { Leftovers, type Lost } from "./leftovers.ts";
import { News } from "./news.ts";
import { Tray } from "./tray.ts";

export class Supply {
  readonly #board: Board;
  readonly #desk: Desk;
  readonly #leftovers: Leftovers;
  readonly #news: News;

  /**
   * @param position the consumer is done with everything selected up to here
   * @param isAlone whether the consumer had no living worker when this one came
   */
  constructor(board: Board, desk: Desk, position: number, isAlone: boolean) {
    this.#board = board;
    this.#desk = desk;
    this.#leftovers = new Leftovers(board.db, desk, isAlone);
    this.#news = new News(board, desk, position);
  }

  /**
   * From when on there is something to take, in milliseconds since the epoch; `Infinity`: nothing is known. Only reads: a
   * worker asks at every commit of the file.
   * @throws BlackboardError `conflict` if the consumer was deleted
   */
  nextDue(): number {
    return this.#board.db.read(() => {
      this.#checkKnown();
      this.#news.leaveOut(this.#leftovers.ordered());
      return this.#news.areThere() ? 0 : this.#leftovers.nextDue();
    });
  }

  /**
   * Up to so many messages; none if another worker was faster.
   * @throws BlackboardError `conflict` if the consumer was deleted
   */
  take(most: number): ReadonlyArray<Delivery<Entry> | Gap> {
    let committed = () => {};
    const items = this.#board.db.write(() => {
      this.#checkKnown();
      this.#leftovers.ordered();
      const now = Date.now();
      const tray = new Tray(this.#board.db, most, this.#board.oldestAllowed(now));
      this.#leftovers.takeOver(tray, now);
      this.#news.leaveOut(this.#leftovers.stillOrdered());
      committed = this.#news.take(tray);
      return tray.items;
    });
    committed();
    return items;
  }

  /** What keeps it from what is newer: messages that lost workers hold. */
  lost(): Lost | null {
    return this.#leftovers.lost();
  }

  /** Whether it has passed changes that are nothing for the consumer since the last `save`. */
  get hasPassed(): boolean {
    return this.#news.hasPassed;
  }

  /** Moves the position past them; part of a write transaction. */
  save(): void {
    if (this.#desk.standing() === "known") this.#news.save();
  }

  #checkKnown(): void {
    const { name } = this.#desk.member;
    const standing = this.#desk.standing();
    if (standing === "deleted") throw new BlackboardError("conflict", `the consumer ${name} was deleted`);
    if (standing === "replaced") throw watchesOtherKeys(name);
  }
}
