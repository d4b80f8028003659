/**
 * Several logs read as one. What is held is bounded whatever was sent and on however many channels: pages of logs whose turn
 * is far off are let go, to be read again.
 */
import type { Work } from "./link.ts";
import type { Log, Logged } from "./log.ts";
import type { Reply } from "./replies.ts";

/** What all logs that are read as one may hold, in bytes: 8 MiB. One entry of each size must fit beside it. */
export const BUDGET = 8 * 1024 * 1024;
/** Entries asked for together while nothing is known of their size. */
const FEW = 8;
/** The most entries asked for together: large ones may follow small ones. */
const MANY = 128;
/** Among so many of the next logs those are looked for that need pages. */
const AHEAD = 256;

export type Read = <Result>(work: Work<Result>) => Promise<Result>;

/** The entries of all logs, by number, all from the same end. */
export async function* merged(logs: readonly Log[], read: Read): AsyncGenerator<Logged, void, undefined> {
  const turns = new Turns(logs);
  for (let first = turns.first; first !== undefined; first = turns.first) {
    const entry = turns.take(first);
    if (entry !== null) yield entry;
    else {
      const few = turns.runningOut();
      const ask = few.map((log) => log.question);
      const replies = await read((connection) => Promise.all(ask.map((words) => connection.call(...words))));
      turns.fill(few, replies);
    }
  }
}

/** The logs that are not at their end, in the order of their turns. */
class Turns {
  readonly #logs: Log[];
  #bytes = 0;
  /** The largest entry that has come; 0: none. */
  #largest = 0;

  constructor(logs: readonly Log[]) {
    this.#logs = [...logs].sort((left, right) => left.turn - right.turn);
  }

  get first(): Log | undefined {
    return this.#logs[0];
  }

  /** The first, which is empty, and those behind it that soon will be, as far as there is room for their next pages. */
  runningOut(): readonly Log[] {
    let room = this.#largest === 0 ? FEW : Math.min(MANY, (BUDGET - this.#bytes) / this.#largest);
    const [first, ...next] = this.#logs.slice(0, AHEAD).filter((log) => log.isRunningOut);
    const some = first === undefined ? [] : [first];
    room -= first?.count ?? 0;
    for (const log of next) {
      room -= log.count;
      if (room < 0) break;
      some.push(log);
    }
    return some;
  }

  fill(logs: readonly Log[], replies: readonly Reply[]): void {
    logs.forEach((log, at) => {
      this.#change(log, () => log.fill(replies[at] ?? null));
    });
    this.#largest = Math.max(this.#largest, ...logs.map(({ largest }) => largest));
    this.#keepToBudget();
  }

  /** The next entry of the first; `null` if it is empty. */
  take(first: Log): Logged | null {
    return this.#change(first, () => first.take());
  }

  /** Does something to a log that may move its turn. */
  #change<Result>(log: Log, change: () => Result): Result {
    this.#logs.splice(this.#logs.indexOf(log), 1);
    this.#bytes -= log.bytes;
    const result = change();
    this.#bytes += log.bytes;
    if (log.turn < Infinity) this.#logs.splice(this.#placeOf(log.turn), 0, log);
    return result;
  }

  /** How many turns come before one; by halves, for a log is put back for each of its entries. */
  #placeOf(turn: number): number {
    let [low, high] = [0, this.#logs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#logs[middle]?.turn ?? Infinity) < turn) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Lets those go whose turn comes last. */
  #keepToBudget(): void {
    for (let at = this.#logs.length - 1; at > 0 && this.#bytes > BUDGET; at--) {
      const log = this.#logs[at];
      this.#bytes -= log?.bytes ?? 0;
      log?.letGo();
    }
  }
}
