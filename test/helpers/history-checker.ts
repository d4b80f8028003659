/**
 * Whether what several clients did at once can be told as one thing after the other, each done at some moment between its call and its
 * answer, so that every answer is right: linearizability (Herlihy and Wing, 1990).
 *
 * The search is Wing and Gong's (Testing and Verifying Concurrent Objects, 1993): of what was called before anything else was answered,
 * one must have been the first; with Lowe's improvement (Testing for Linearizability, 2017): a set of deeds done that led to one board
 * is not looked at twice. Boards that share no key are searched each by itself (Horn and Kroening, Faster Linearizability Checking via
 * P-Compositionality, 2015): whoever calls has parted the history.
 */
import { after, type BoardModel, type Done, EMPTY_BOARD } from "./board-model.ts";

/** Times are of one clock, in whatever unit. */
export interface HistoryEvent extends Done {
  /** Of whoever did it, for people. */
  readonly by: string;
  readonly calledAt: number;
  /** `Infinity`: there was no answer. It may have been done at any time after, or never, which is as if it were done after all others. */
  readonly answeredAt: number;
}

/** One right order, or `null` if there is none. What was not answered is in it only if it had to be. */
export function linearize(history: readonly HistoryEvent[]): readonly HistoryEvent[] | null {
  const search = new Search(history);
  return search.goesOnFrom(EMPTY_BOARD) ? search.order : null;
}

class Search {
  readonly order: HistoryEvent[] = [];
  readonly #events: readonly HistoryEvent[];
  readonly #isDone: boolean[];
  /** Who is done, and the board that this led to: from there on nothing was found. */
  readonly #tried = new Set<string>();

  /** What was answered first is tried first: mostly it was done first. */
  constructor(history: readonly HistoryEvent[]) {
    this.#events = [...history].sort((one, other) => byTime(one.answeredAt, other.answeredAt));
    this.#isDone = history.map(() => false);
  }

  goesOnFrom(board: BoardModel): boolean {
    const next = this.#events.find((_, index) => !this.#isDone[index]);
    if (next === undefined || next.answeredAt === Number.POSITIVE_INFINITY) return true;
    const place = `${this.#isDone.map(Number).join("")} ${JSON.stringify(board)}`;
    if (this.#tried.has(place)) return false;
    this.#tried.add(place);
    return this.#events.some((event, index) => {
      return (
        !this.#isDone[index] && event.calledAt <= next.answeredAt && this.#goesOnWith(event, index, board)
      );
    });
  }

  #goesOnWith(event: HistoryEvent, index: number, board: BoardModel): boolean {
    const then = after(board, event);
    if (then === null) return false;
    this.#isDone[index] = true;
    this.order.push(event);
    if (this.goesOnFrom(then)) return true;
    this.order.pop();
    this.#isDone[index] = false;
    return false;
  }
}

function byTime(one: number, other: number): number {
  return one === other ? 0 : one - other;
}

/** A history for people, a line each, in the order of the calls. */
export function describeHistory(history: readonly HistoryEvent[]): string {
  const sorted = [...history].sort((one, other) => one.calledAt - other.calledAt);
  const begin = sorted[0]?.calledAt ?? 0;
  return sorted
    .map(({ by, calledAt, answeredAt, deed, outcome }) => {
      const told = outcome === undefined ? "?" : JSON.stringify(outcome);
      return `${calledAt - begin}–${answeredAt - begin} ${by}: ${JSON.stringify(deed)} → ${told}`;
    })
    .join("\n");
}
