/**
 * The order in which calls that are under way at once reach the board: that in which they began, whatever each does before. A call has
 * its turn when it is given the board, and asks it at once (see `Command.atOnce`). Who is given it first goes on first: promises see to that.
 */
import type { Blackboard } from "../../blackboard.ts";

/** The turn of one call. */
export interface Turn {
  next: Turn | null;
  /** Gives the board to a call that came before its turn. */
  give: ((board: Blackboard) => void) | null;
  /** It had its turn, or ended without one. */
  isOver: boolean;
}

export class Turns {
  #open: { readonly board: Blackboard; readonly given: Promise<Blackboard> } | null = null;
  /** The first that is not over. */
  #first: Turn | null = null;
  #last: Turn | null = null;

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** Before the first turn. */
  open(board: Blackboard): void {
    this.#open = { board, given: Promise.resolve(board) };
  }

  /** Of a call that begins now. */
  take(): Turn {
    const turn: Turn = { next: null, give: null, isOver: false };
    if (this.#last === null) this.#first = turn;
    else this.#last.next = turn;
    this.#last = turn;
    return turn;
  }

  /** The board, when it is this call's turn. */
  come(turn: Turn): Promise<Blackboard> {
    if (this.#open === null || (!turn.isOver && turn !== this.#first)) {
      return new Promise((resolve) => {
        turn.give = resolve;
      });
    }
    this.end(turn);
    return this.#open.given;
  }

  /** The call has had its turn, or has ended and wants none. Those behind are given the board after it. */
  end(turn: Turn): void {
    turn.isOver = true;
    if (turn !== this.#first) return;
    this.#first = turn.next;
    if (this.#first === null) this.#last = null;
    else if (this.#first.isOver || this.#first.give !== null) queueMicrotask(() => this.#goOn());
  }

  #goOn(): void {
    if (this.#open === null) return;
    let first = this.#first;
    for (; first !== null && (first.isOver || first.give !== null); first = first.next) {
      first.isOver = true;
      first.give?.(this.#open.board);
    }
    this.#first = first;
    if (first === null) this.#last = null;
  }
}
