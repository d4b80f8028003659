/** From the words of one command in a batch to a call of it. */
import { usageError } from "../../core/errors.ts";
import type { Command } from "../command.ts";
import { type Given, NO_OPTIONS } from "../given.ts";
import { readPlainly, type Typed } from "../plain-words.ts";

export interface PartCall {
  readonly command: Command;
  readonly given: Given;
}

/** What the board is, and how it is used: said once, for the whole batch. */
export const OF_THE_WHOLE = ["config", "backend", "url", "prefix", "agent", "timeout"] as const;

export class Calls {
  /** Those of one word that were called before. */
  readonly #known = new Map<string, Command>();

  /**
   * A call of a command that is known and whose words are plain; `null`: `read` has to say.
   * @throws BlackboardError `usage`
   */
  known(words: readonly string[]): PartCall | null {
    const command = this.#known.get(words[0] ?? "");
    if (command === undefined) return null;
    const typed = readPlainly(command, words.slice(1));
    return typed && partOf(command, typed);
  }

  /** Any. @throws BlackboardError `usage` */
  async read(words: readonly string[]): Promise<PartCall> {
    const { parseCall } = await import("../program.ts");
    const call = await parseCall(words, 80);
    if (call.kind !== "run") throw usageError("a question is no part of a batch", "ask timmy-bb itself");
    const { command } = call;
    this.#known.set(command.name, command); // a name of two words is looked up by none
    return partOf(command, call);
  }
}

/** The first global option that is not for one call of many. */
export function ofTheWhole(globals: Typed["globals"]): string | undefined {
  if (globals === NO_OPTIONS) return undefined;
  return OF_THE_WHOLE.find((name) => globals[name] !== undefined);
}

function partOf(command: Command, { given, globals }: Typed): PartCall {
  const stray = ofTheWhole(globals);
  if (stray !== undefined)
    throw usageError(
      `--${stray} is for the whole batch, not for one command of it`,
      `timmy-bb batch --${stray} …`,
    );
  if (command.takesCommand !== undefined || command.waits?.(given))
    throw usageError(`${command.name} ${NO_PART}`, "run it by itself");
  return { command, given };
}

const NO_PART = "goes on, or waits for what others do, and is no part of a batch like this";
