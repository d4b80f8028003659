/** How the commands of a batch ended, and what follows from it for the whole. */
import { BlackboardError, reasonOf } from "../../core/errors.ts";

export class Tally {
  /** The last line that was begun. */
  begun = 0;
  #isStopped = false;
  #failed = 0;
  #first: { readonly line: number; readonly error: unknown } | null = null;

  fail(line: number, error: unknown): void {
    this.#failed++;
    if (this.#first === null || line < this.#first.line) this.#first = { line, error };
  }

  /** There may be more lines. */
  stop(): void {
    this.#isStopped = true;
  }

  /** @throws BlackboardError of the kind of the first failure */
  conclude(): void {
    if (this.#first === null) return;
    const { line, error } = this.#first;
    const isKnown = error instanceof BlackboardError;
    const some =
      this.#failed === 1 ? "one of the commands failed" : `${this.#failed} of the commands failed, the first`;
    const end = this.#isStopped ? `; nothing behind line ${this.begun} was begun` : "";
    throw new BlackboardError(
      isKnown ? error.kind : "internal",
      `${some}, in line ${line}: ${isKnown ? error.message : reasonOf(error)}${end}`,
      { cause: error, ...(isKnown && error.hint !== undefined ? { hint: error.hint } : {}) },
    );
  }
}
