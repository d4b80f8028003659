/** Whether this process itself was held up: on a busy machine time passes without the other side having been silent. */

const TICK_MS = 10;
/** Shorter than this says nothing about the machine. */
const SHORTEST_MS = 100;

/** Counts how often the process got to run while something was waited for. */
export class StarvationWatch {
  readonly #begunAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #ticks = 0;

  constructor() {
    this.#timer = setInterval(() => this.#ticks++, TICK_MS);
  }

  /** Ends the watch: true if the process got less than half of its turns. */
  end(): boolean {
    clearInterval(this.#timer);
    const elapsedMs = performance.now() - this.#begunAt;
    return elapsedMs >= SHORTEST_MS && this.#ticks < elapsedMs / TICK_MS / 2;
  }
}
