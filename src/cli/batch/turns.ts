/**
 * The order in which calls that are under way at once reach the board: that in which they began, whatever each does before. A call has
 * its turn when it is given the board, and asks it at once (see `Command.atOnce`): before the next is given it, for promises see to that; or
 * before it lets anything else happen (see `Context.boardNow`).
 */
import type { Blackboard } from "../../blackboard.ts";

/** The turn of one call. */
export interface Turn {
  next: Turn | null;
  /** Gives the board to a call that waits for its turn. */
  give: ((board: Blackboard | Promise<never>) => void) | null;
  /** It had its turn, or ended without one. */
  isOver: boolean;
  /** Characters of the call. */
  readonly size: number;
}

/**
 * So long, and for calls of so many characters, turns follow each other without a look at what else is to be done: answers, failures,
 * signals; and less long if one call alone takes its time, be it for a large value or because the store holds up everything until it gives up.
 */
const SLICE_MS = 50;
const LONG_MS = 2;
const SLICE_CHARACTERS = 1024 * 1024;

export class Turns {
  /** No call is given the board while this is so; `goOn` says that it has changed. */
  readonly #isHeld: () => boolean;
  #board: Blackboard | Promise<never> | null = null;
  /** The first that is not over. */
  #first: Turn | null = null;
  #last: Turn | null = null;
  #isClosed = false;
  #isGoingOn = false;
  /** Whether the slice is one of this turn of the event loop. */
  #isInSlice = false;
  #slice = { end: 0, left: 0, latest: 0 };

  constructor(isHeld: () => boolean) {
    this.#isHeld = isHeld;
  }

  get isOpen(): boolean {
    return this.#board !== null;
  }

  /** Before the first turn. */
  open(board: Blackboard): void {
    if (!this.#isClosed) this.#board = board;
  }

  /** Who has not been given the board by now is refused it. */
  close(error: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const refusal = Promise.reject(error);
    refusal.catch(() => {}); // perhaps nobody comes
    this.#board = refusal;
  }

  /** Of a call that begins now. */
  take(size: number): Turn {
    const turn: Turn = { next: null, give: null, isOver: false, size };
    if (this.#last === null) this.#first = turn;
    else this.#last.next = turn;
    this.#last = turn;
    return turn;
  }

  /** The board, when it is this call's turn. */
  come(turn: Turn): Promise<Blackboard> {
    return new Promise((resolve) => {
      if (turn.isOver && this.#board !== null) return resolve(this.#board);
      turn.give = resolve;
      if (turn === this.#first) this.goOn();
    });
  }

  /** The same for a call that asks it now, unless that would be too soon or too much: it has to wait then. */
  comeNow(turn: Turn): Blackboard | null {
    const board = this.#board;
    if (turn !== this.#first || this.#isGoingOn || this.#isHeld()) return null;
    if (board === null || board instanceof Promise || !this.#isTimeLeft()) return null;
    this.#slice.left -= turn.size;
    turn.isOver = true;
    this.#nextTurn();
    return board;
  }

  /** The call has had its turn, or has ended and wants none. */
  end(turn: Turn): void {
    turn.isOver = true;
    if (turn === this.#first) this.goOn();
  }

  goOn(): void {
    if (!this.#isGoingOn) this.#begin();
  }

  readonly #begin = (): void => {
    this.#isGoingOn = true;
    this.#startClock();
    queueMicrotask(this.#step);
  };

  /** If not, turns go on when all else that is to be done has been. */
  #isTimeLeft(): boolean {
    if (!this.#isInSlice) {
      this.#isInSlice = true;
      setImmediate(this.#endSlice);
      this.#startClock();
    } else if (this.#isSliceOver()) {
      this.#isGoingOn = true;
      setImmediate(this.#begin);
    }
    return !this.#isGoingOn;
  }

  readonly #endSlice = (): void => {
    this.#isInSlice = false;
  };

  #startClock(): void {
    const latest = Date.now();
    this.#slice = { end: latest + SLICE_MS, left: SLICE_CHARACTERS, latest };
  }

  /** One call is given the board; when it has asked it, the next. */
  readonly #step = (): void => {
    const turn = this.#nextTurn();
    const give = turn?.give ?? null;
    if (turn === null || give === null || this.#board === null || this.#isHeld()) {
      this.#isGoingOn = false;
    } else if (this.#isSliceOver()) {
      setImmediate(this.#begin);
    } else {
      turn.isOver = true;
      this.#slice.left -= turn.size;
      give(this.#board);
      queueMicrotask(this.#step);
    }
  };

  #isSliceOver(): boolean {
    const { end, left, latest } = this.#slice;
    const now = Date.now();
    this.#slice.latest = now;
    return left <= 0 || now > end || now > latest + LONG_MS;
  }

  #nextTurn(): Turn | null {
    while (this.#first?.isOver) this.#first = this.#first.next;
    if (this.#first === null) this.#last = null;
    return this.#first;
  }
}
