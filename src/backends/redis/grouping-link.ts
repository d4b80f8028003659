/**
 * A link on which what is asked for in one go can be gathered, to travel together. It leaves when the tick ends, or before anything that is asked
 * for behind it: so all of a board's operations reach the server in the order in which they were asked for.
 */
import type { Deadline } from "./deadline.ts";
import { type Effect, Link, type Work } from "./link.ts";

export class GroupingLink extends Link {
  #leave: (() => void) | null = null;

  /** What was gathered before leaves now; this leaves by itself, in the end. */
  gather(leave: () => void): void {
    this.leave();
    this.#leave = leave;
    process.nextTick(() => this.leave());
  }

  /** What has been gathered is on its way. */
  leave(): void {
    const leave = this.#leave;
    this.#leave = null;
    leave?.();
  }

  override run<Result>(effect: Effect, work: Work<Result>, deadline?: Deadline): Promise<Result> {
    this.leave();
    return super.run(effect, work, deadline);
  }

  override close(): void {
    this.leave();
    super.close();
  }
}
