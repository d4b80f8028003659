/** How long messages are taken: until told to stop, until `--wait` is over, or until somebody has enough. */
import { setAlarm } from "../../core/alarm.ts";
import { formatDuration } from "../../core/duration.ts";
import { BlackboardError } from "../../core/errors.ts";

export class Term {
  /** Aborted at its end, whatever ended it. */
  readonly signal: AbortSignal;
  readonly #waitMs: number | undefined;
  readonly #own = new AbortController();
  #isLate = false;
  #callOff: () => void = () => {};

  constructor(stop: AbortSignal, waitMs: number | undefined) {
    this.signal = AbortSignal.any([stop, this.#own.signal]);
    this.#waitMs = waitMs;
  }

  /** From here `--wait` is counted. With 0 it is over when what was there has been read; that ends by itself. */
  begin(): void {
    if (this.#waitMs === undefined) return;
    if (this.#waitMs === 0) {
      this.#isLate = true;
      return;
    }
    this.#callOff = setAlarm(this.#waitMs, () => {
      this.#isLate = true;
      this.end();
    });
  }

  /** No more is taken. */
  end(): void {
    this.#callOff();
    this.#own.abort();
  }

  /** @throws BlackboardError `timeout` if it was `--wait` that ended it */
  checkInTime(): void {
    if (!this.#isLate) return;
    throw new BlackboardError("timeout", `timed out after ${formatDuration(this.#waitMs ?? 0)}`);
  }
}
