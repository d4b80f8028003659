/**
 * Statements for many rows: what SQLite and the driver do for each call is most of what a row costs, so rows that are alike go
 * together (into the log 1.2 µs a row instead of 2.5), and bind only what is their own.
 */
import type { Bytes } from "../../core/types.ts";
import type { Cell } from "./cells.ts";

/** So many rows go into one statement; what is left over goes one by one. */
const ROWS = 16;

/** What an entry of the log, or a key that is written, has for itself. */
export interface RunRow {
  /** The key; `null` for a message. */
  readonly name: Uint8Array | null;
  /** `null`: it has none, being deleted. */
  readonly data: Bytes | null;
}

/** A statement for one row, and the same for many. */
export class RunSql {
  readonly #textOf: (rows: number) => string;
  /** By their rows; made at first use: a command needs few of them. */
  readonly #texts = new Map<number, string>();

  /**
   * @param ownBegin the number of the first parameter that is a row's own
   * @param ownEach how many of them each row has
   * @param rowText a row, given its place and its first parameter
   */
  constructor(
    head: string,
    tail: string,
    ownBegin: number,
    ownEach: number,
    rowText: (index: number, own: number) => string,
  ) {
    this.#textOf = (rows) => {
      const texts = Array.from({ length: rows }, (_, index) => rowText(index, ownBegin + index * ownEach));
      return `${head} ${texts.join(", ")} ${tail}`;
    };
  }

  /**
   * Calls for as many rows at once as go together, until all are through.
   * @param shared what the rows of a call share, given the place of the first
   */
  forEach<Row>(
    rows: readonly Row[],
    shared: (start: number) => Cell[],
    bind: (parameters: Cell[], row: Row) => void,
    call: (sql: string, parameters: readonly Cell[]) => void,
  ): void {
    for (let start = 0; start < rows.length; ) {
      const end = rows.length - start >= ROWS ? start + ROWS : start + 1;
      const parameters = shared(start);
      for (let at = start; at < end; at++) bind(parameters, rows[at] as Row);
      call(this.#text(end - start), parameters);
      start = end;
    }
  }

  #text(rows: number): string {
    let text = this.#texts.get(rows);
    if (text === undefined) {
      text = this.#textOf(rows);
      this.#texts.set(rows, text);
    }
    return text;
  }
}
