/** Messages, or changes, as records of output; those of a consumer are acknowledged when they are out. */
import type { Entry, Gap } from "../../core/types.ts";
import type { Row } from "../command.ts";
import type { Feed, Taken } from "./feed.ts";
import { gapRow } from "./telling.ts";
import type { Term } from "./term.ts";

/** Records on their way out, or out and not acknowledged yet, at most. */
const MOST_OPEN = 100;
/** How long they are waited for when the program is told to stop, in milliseconds. */
export const LAST_MS = 1000;

export interface Printing {
  readonly feed: Feed;
  readonly next: () => Promise<Taken | Gap | null>;
  readonly limit: number;
  /** Given only what its own feed brings. */
  rowOf(entry: Entry): Row;
  /** `null`: nothing is acknowledged. */
  readonly acks: Acks | null;
}

export async function* printed(printing: Printing, term: Term): AsyncGenerator<Row> {
  const { feed, limit, acks } = printing;
  let count = 0;
  try {
    for (let item = await nextOf(printing, count); item !== null; item = await nextOf(printing, count)) {
      if (!("gap" in item)) count++;
      yield rowFor(item, printing);
    }
    await acks?.settled();
    if (count < limit) term.checkInTime();
  } finally {
    term.end();
    await feed.close();
  }
}

async function nextOf({ next, limit, acks }: Printing, count: number): Promise<Taken | Gap | null> {
  await acks?.room();
  return count < limit ? next() : null;
}

function rowFor(item: Taken | Gap, printing: Printing): Row {
  if ("gap" in item) return gapRow(item);
  const { acks } = printing;
  const row = printing.rowOf(item.entry);
  return acks === null ? row : { ...row, written: acks.expect(item) };
}

/** Acknowledges messages once they are written, some at a time, in the background. */
export class Acks {
  readonly #feed: Feed;
  #open = 0;
  #failure: { readonly error: unknown } | null = null;
  #isOver = false;
  #wake: () => void = () => {};

  /** @param stop what is not written some time after it is aborted never will be */
  constructor(feed: Feed, stop: AbortSignal) {
    this.#feed = feed;
    stop.addEventListener("abort", () => setTimeout(() => this.#end(), LAST_MS), { once: true });
  }

  /** To be told whether the message went out. */
  expect(taken: Taken): (isOut: boolean) => void {
    this.#open++;
    return (isOut) => void this.#settle(taken, isOut);
  }

  /** Resolves when one more may be begun. @throws what an acknowledgement failed with */
  room(): Promise<void> {
    return this.#until(() => this.#open < MOST_OPEN);
  }

  /** Resolves when all that went out is acknowledged. @throws what an acknowledgement failed with */
  settled(): Promise<void> {
    return this.#until(() => this.#open === 0);
  }

  async #settle(taken: Taken, isOut: boolean): Promise<void> {
    try {
      if (isOut) await this.#feed.ack(taken);
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#open--;
    this.#wake();
  }

  #end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async #until(isReached: () => boolean): Promise<void> {
    while (!isReached() && this.#failure === null && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== null) throw this.#failure.error;
  }
}
