/** One message, or change, and its command: from the first start to the last end. */
import { setTimeout as pause } from "node:timers/promises";
import { formatDuration } from "../../core/duration.ts";
import { contentOf, nameOf } from "../../core/entry.ts";
import { failedChannelOf } from "../../core/worker.ts";
import type { Handler } from "../handler.ts";
import type { Ended } from "../spawning.ts";
import { oneLine } from "../terminal.ts";
import type { Feed, Taken } from "./feed.ts";
import { labelOf } from "./telling.ts";
import type { Term } from "./term.ts";
import { variablesOf } from "./variables.ts";

/** Before the second try, in milliseconds; each further one waits four times as long, up to the most. */
const FIRST_BACKOFF_MS = 200;
const MOST_BACKOFF_MS = 10_000;

export interface Trying {
  readonly feed: Feed;
  readonly handler: Handler;
  /** How often a message is tried again; `null`: never, and nobody is told where it went. */
  readonly retries: number | null;
  /** Aborted when the program is told to stop. */
  readonly stop: AbortSignal;
  readonly notice: (text: string) => void;
}

export class Tries {
  /** Messages that a command was started for. */
  begun = 0;
  /** Of the last command that failed for good; 0 if none did. */
  status = 0;
  readonly #trying: Trying;
  readonly #term: Term;

  /** @param term when it is over nothing is started any more */
  constructor(trying: Trying, term: Term) {
    this.#trying = trying;
    this.#term = term;
  }

  /** @throws CannotRun if the command cannot be started; the message is given back */
  async handle(first: Taken): Promise<void> {
    if (!this.#term.signal.aborted) this.begun++;
    for (let taken: Taken | null = first; taken !== null; ) {
      taken = this.#term.signal.aborted ? await this.#release(taken) : await this.#try(taken);
    }
  }

  /** What is to be tried once more. */
  async #try(taken: Taken): Promise<Taken | null> {
    const { reason, status } = await this.#run(taken);
    if (reason === null) return this.#trying.feed.ack(taken).then(() => null);
    if (this.#trying.stop.aborted) return this.#release(taken); // it was we who ended it
    const again = await this.#trying.feed.fail(taken, reason);
    if (again === "failed") this.status = status;
    const waitMs = Math.min(FIRST_BACKOFF_MS * 4 ** ((taken.attempt ?? 1) - 1), MOST_BACKOFF_MS);
    const { handler, notice } = this.#trying;
    notice(`${handler.name} ${reason} (${labelOf(taken.entry)})${this.#whatNext(taken, again, waitMs)}`);
    if (again === "failed" || again === "lost") return null;
    await pause(waitMs, undefined, { signal: this.#term.signal }).catch(() => {}); // ended early
    return again;
  }

  async #run(taken: Taken): Promise<Ended> {
    const job = { payload: contentOf(taken.entry), variables: variablesOf(taken) };
    try {
      return await this.#trying.handler.run(job);
    } catch (error) {
      await this.#release(taken);
      throw error;
    }
  }

  async #release(taken: Taken): Promise<null> {
    await this.#trying.feed.release(taken);
    return null;
  }

  #whatNext({ entry }: Taken, again: Taken | "failed" | "lost", waitMs: number): string {
    if (this.#trying.retries === null) return "";
    if (again === "lost") return "; another worker has taken it over";
    if (again === "failed") return `; it has gone to ${oneLine(failedChannelOf(nameOf(entry)))}`;
    return `; trying again in ${formatDuration(waitMs)}`;
  }
}
