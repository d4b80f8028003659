/** What a command has at hand that is part of another call: what that call has, but for what is that call's own. */
import type { Blackboard } from "../../blackboard.ts";
import type { LoadedSettings } from "../../config/index.ts";
import type { Context, Input } from "../command.ts";

export abstract class PartContext implements Context {
  abstract readonly input: Input;
  abstract readonly json: boolean;
  abstract readonly signal: AbortSignal;
  abstract readonly isOutputClosed: boolean;
  abstract readonly canAsk: boolean;
  protected readonly whole: Context;

  constructor(whole: Context) {
    this.whole = whole;
  }

  abstract board(): Promise<Blackboard>;
  abstract notice(text: string): void;
  abstract endsItself(): void;
  abstract environment(): Readonly<Record<string, string>>;
  /** Who waits, follows or asks is no part of another call. */
  protected abstract refuse(): never;

  get loaded(): LoadedSettings {
    return this.whole.loaded;
  }

  get parentPid(): number {
    return this.whole.parentPid;
  }

  wholeEnvironment(): never {
    return this.refuse();
  }

  passSignals(): never {
    return this.refuse();
  }

  endBy(): never {
    return this.refuse();
  }

  confirm(): never {
    return this.refuse();
  }
}
