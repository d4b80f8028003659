/** A subscription, or a watch, of the command: a process whose lines are read as they come. */
import type { Entry, Gap } from "../../src/core/types.ts";
import type { Ended, Started } from "../helpers/processes.ts";
import { until, within } from "../helpers/until.ts";
import { answerOf, EXIT_OF_KIND, failureIn } from "./cli-answers.ts";
import { type Ending, isEntry, type Subscription } from "./driver.ts";
import { parseLines, type Row } from "./rows.ts";

/** The exit of a process that ended because it was told to. */
const TERMINATED = 143;

/** A subscriber in its own process; its lines are read as they come. */
export class CliSubscription<Item extends Entry> implements Subscription<Item> {
  readonly ended: Promise<Ending>;
  readonly #started: Started;
  readonly #itemIn: (row: Row) => Item | Gap;
  #over = false;
  #isClosed = false;

  constructor(started: Started, itemIn: (row: Row) => Item | Gap) {
    this.#started = started;
    this.#itemIn = itemIn;
    this.ended = started.ended
      .then((ended) => this.#endingOf(ended))
      .finally(() => {
        this.#over = true;
      });
    this.ended.catch(() => {}); // whoever awaits it is told
  }

  get isOver() {
    return this.#over;
  }

  seen(): Item[] {
    return this.items().filter((item) => isEntry(item));
  }

  items(): (Item | Gap)[] {
    const text = this.#started.stdout();
    return parseLines(text.subarray(0, text.lastIndexOf(10) + 1)).map(this.#itemIn);
  }

  async take(count: number) {
    const enough = () => this.#over || (this.#lineCount() >= count && this.seen().length >= count);
    await until(`${count} messages`, enough);
    const seen = this.seen();
    if (seen.length >= count) return seen.slice(0, count);
    await this.ended; // with its error, if there was one
    throw new Error(`it ended after ${seen.length} messages`);
  }

  async close() {
    this.#isClosed = true;
    this.#started.process.kill("SIGTERM");
    await within(
      "the end of a subscriber",
      this.ended.catch(() => {}),
    );
  }

  #lineCount(): number {
    let count = 0;
    for (const byte of this.#started.stdout()) if (byte === 10) count++;
    return count;
  }

  /** A process told to stop exits by its own decision, 143; killed by the signal it would have no exit code. */
  #endingOf(ended: Ended): Ending {
    if (ended.exitCode === TERMINATED && this.#isClosed) return "closed";
    if (ended.exitCode === EXIT_OF_KIND.timeout) {
      const failure = failureIn(ended);
      if (failure.kind === "timeout") return "timeout";
    }
    if (answerOf(ended).exit === "done") return "done";
    throw new Error(`a subscriber exited ${ended.exitCode}`);
  }
}
