/** A call in a batch: what it has at hand, and when it has its turn. */
import type { Blackboard } from "../../blackboard.ts";
import { usageError } from "../../core/errors.ts";
import type { Context, Input } from "../command.ts";
import { PartContext } from "./context.ts";
import type { Turn, Turns } from "./turns.ts";

/** What all calls of a batch share. */
export interface Whole {
  readonly context: Context;
  readonly input: Input;
  readonly turns: Turns;
  /** Never aborted while a call is under way: what has begun is brought to its end. */
  readonly signal: AbortSignal;
  /** Nobody reads the replies any more. */
  isUnread: boolean;
}

export class Part extends PartContext {
  readonly json = true;
  readonly canAsk = false;
  readonly #whole: Whole;
  readonly #turn: Turn;

  /** @param size characters of the call */
  constructor(whole: Whole, size: number) {
    super(whole.context);
    this.#whole = whole;
    this.#turn = whole.turns.take(size);
  }

  board(): Promise<Blackboard> {
    return this.#whole.turns.come(this.#turn);
  }

  boardNow(): Blackboard | null {
    return this.#whole.turns.comeNow(this.#turn);
  }

  /** It has ended, perhaps without a look at the board. */
  end(): void {
    this.#whole.turns.end(this.#turn);
  }

  get input(): Input {
    return this.#whole.input;
  }

  get signal(): AbortSignal {
    return this.#whole.signal;
  }

  get isOutputClosed(): boolean {
    return this.#whole.isUnread || this.whole.isOutputClosed;
  }

  notice(text: string): void {
    this.whole.notice(text);
  }

  /** So does all of the batch. */
  endsItself(): void {}

  environment(): Readonly<Record<string, string>> {
    return this.whole.environment();
  }

  protected refuse(): never {
    throw usageError("this is no command for a batch", "run it by itself");
  }
}
