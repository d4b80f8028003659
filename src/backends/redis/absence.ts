/** What a worker says of its store: that it is away, once, whichever of its connections finds out, and once that all is well again. */
import type { FollowState } from "../../core/types.ts";

export class Absence {
  readonly #onState: (state: FollowState) => void;
  /** What stands in the way, each in its own right. */
  readonly #causes = new Set<unknown>();
  /** When the first of them came, by the process's clock; `null`: nothing is told that is not over. */
  #since: number | null = null;

  constructor(onState: (state: FollowState) => void) {
    this.#onState = onState;
  }

  begin(cause: unknown, reason: string, since = performance.now()): void {
    this.#causes.add(cause);
    if (this.#since !== null) return;
    this.#since = since;
    this.#onState({ state: "away", store: "redis", reason });
  }

  /** Also for what never was in the way. */
  end(cause: unknown): void {
    this.#causes.delete(cause);
    if (this.#since === null || this.#causes.size > 0) return;
    const awayMs = Math.round(performance.now() - this.#since);
    this.#since = null;
    this.#onState({ state: "back", store: "redis", awayMs, recovered: 0 });
  }

  /** What its ear says, which is a connection of its own. */
  readonly hear = (state: FollowState): void => {
    if (state.state === "away") this.begin(this.hear, state.reason);
    else if (state.state === "back") this.end(this.hear);
    else this.#onState(state);
  };
}
