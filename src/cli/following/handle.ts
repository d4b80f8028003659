/** A command for each message, or change: how many at once, and what becomes of those that come meanwhile. */
import { setImmediate as turn } from "node:timers/promises";
import { nameOf } from "../../core/entry.ts";
import type { Taken } from "./feed.ts";
import type { OnBusy } from "./options.ts";
import type { Term } from "./term.ts";
import { Tries, type Trying } from "./tries.ts";
import { counted, type Words } from "./words.ts";

/** So many messages are read in a row before commands that ended, and signals, have their turn. */
const TURN_AFTER = 256;

export interface Handling extends Trying {
  readonly limit: number;
  readonly parallel: number;
  readonly onBusy: OnBusy;
  readonly words: Words;
}

/**
 * Handles messages until enough were, or the term is over; what is running then is waited for.
 * @returns the status of the last command that failed for good; 0 if none did
 */
export async function handleAll(handling: Handling, term: Term): Promise<number> {
  const tries = new Tries(handling, term);
  try {
    await (handling.onBusy === "queue" ? queued : unqueued)(handling, term, tries);
    if (tries.begun < handling.limit) term.checkInTime();
    return tries.status;
  } finally {
    term.end();
    await handling.feed.close();
  }
}

/** Takes the next message only when a command can be run for it. */
async function queued({ feed, limit, parallel }: Handling, term: Term, tries: Tries): Promise<void> {
  let asked = 0;
  let taking: Promise<Taken | null> = Promise.resolve(null);
  const take = () => {
    if (asked++ >= limit || term.signal.aborted) return null;
    taking = taking.then(() => feed.next()); // one after the other
    return taking;
  };
  const lane = async () => {
    for (let taken = await take(); taken !== null; taken = await take()) await tries.handle(taken);
  };
  await together(Array.from({ length: Math.min(parallel, limit) }, lane), term);
}

/** Reads on while commands run. */
async function unqueued(handling: Handling, term: Term, tries: Tries): Promise<void> {
  const { feed } = handling;
  const crowd = new Crowd(handling, term, tries);
  let read = 0;
  try {
    for (let taken = await feed.next(); taken !== null && !term.signal.aborted; taken = await feed.next()) {
      crowd.add(taken);
      if (++read % TURN_AFTER === 0) await turn();
    }
  } finally {
    await crowd.ended();
  }
}

/** Messages that come as they like, and at most so many commands for them. */
class Crowd {
  readonly #handling: Handling;
  readonly #term: Term;
  readonly #tries: Tries;
  readonly #running = new Set<Promise<void>>();
  /** With `coalesce`, each channel's (or key's) newest. */
  readonly #waiting = new Map<string, Taken>();
  #dropped = 0;
  #failure: { readonly error: unknown } | null = null;

  constructor(handling: Handling, term: Term, tries: Tries) {
    this.#handling = handling;
    this.#term = term;
    this.#tries = tries;
  }

  add(taken: Taken): void {
    if (this.#running.size < this.#handling.parallel) this.#start(taken);
    else if (this.#handling.onBusy === "drop") this.#dropped++;
    else this.#replace(taken);
  }

  /** Resolves when nothing is running and nothing is waiting any more. @throws what a command could not be started for */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    this.#tellDropped();
    if (this.#failure !== null) throw this.#failure.error;
  }

  #start(taken: Taken): void {
    const work = this.#tries
      .handle(taken)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#running.delete(work);
        this.#goOn();
      });
    this.#running.add(work);
    if (this.#tries.begun >= this.#handling.limit) this.#term.end();
  }

  #replace(taken: Taken): void {
    const name = nameOf(taken.entry);
    if (this.#waiting.has(name)) this.#dropped++;
    this.#waiting.set(name, taken);
  }

  #goOn(): void {
    this.#tellDropped();
    const [next] = this.#waiting.values();
    if (next === undefined || this.#term.signal.aborted) return;
    this.#waiting.delete(nameOf(next.entry));
    this.#start(next);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#term.end();
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return;
    const { words, handler, notice } = this.#handling;
    const was = this.#dropped === 1 ? "was" : "were";
    notice(`${counted(this.#dropped, words)} ${was} dropped while ${handler.name} was busy`);
    this.#dropped = 0;
  }
}

/** Waits for all; the first to fail ends the term, so that the others come to their end. */
async function together(works: readonly Promise<void>[], term: Term): Promise<void> {
  for (const work of works) work.catch(() => term.end());
  const results = await Promise.allSettled(works);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
