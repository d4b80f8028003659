/**
 * The words of a call that is wholly plain: arguments, and options spelled out as the command states them, each once, a value in the next
 * word. Most calls are, and for them commander need not be loaded. What is said here, commander would say (a test holds the two
 * against each other); whatever else there is – an abbreviation, `--x=y`, `-abc`, `--`, a mistake – is left to it.
 */
import { Later } from "../core/later.ts";
import type { Command } from "./command.ts";
import { Given, NO_OPTIONS } from "./given.ts";
import { GLOBAL_OPTIONS } from "./globals.ts";

/** What was typed: for the command, and the options every command has among them. */
export interface Typed {
  readonly given: Given;
  /** By their long names, camel-cased. */
  readonly globals: Readonly<Record<string, string | boolean | undefined>>;
}

/** What one spelling of an option stands for. */
interface Spelling {
  readonly name: string;
  readonly takesValue: boolean;
  /** `--no-NAME`. */
  readonly isNegation: boolean;
}

/** @returns `null` if commander has to say */
export function readPlainly(command: Command, words: readonly string[]): Typed | null {
  if (command.takesCommand === "always") return null;
  const { spellings, args: specs } = formOf(command);
  let options: Record<string, string | boolean> = NO_OPTIONS;
  const operands: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!isOption(word)) {
      operands.push(word);
      continue;
    }
    const option = spellings.it.get(word);
    const value = option?.takesValue ? words[++at] : !option?.isNegation;
    if (option === undefined || value === undefined || option.name in options) return null;
    if (typeof value === "string" && isOption(value)) return null;
    if (options === NO_OPTIONS) options = {};
    options[option.name] = value;
  }
  const args = argumentsOf(specs, operands);
  return args && { given: new Given(args, options), globals: options };
}

/** A dash alone is a word like others. */
function isOption(word: string): boolean {
  return word.length > 1 && word.startsWith("-");
}

/** By their names in the command's spec; `null` if there are too few or too many. */
function argumentsOf(specs: readonly ArgumentSpec[], operands: readonly string[]) {
  const args = new Map<string, string | readonly string[] | undefined>();
  let at = 0;
  for (const { name, isNeeded, isMany } of specs) {
    if (isNeeded && at >= operands.length) return null;
    args.set(name, isMany ? operands.slice(at) : operands[at]);
    at = isMany ? operands.length : at + 1;
  }
  return operands.length > at ? null : args;
}

/** `<keys...>` is `keys`. */
export function argumentName(usage: string): string {
  return usage.slice(1, usage.includes("...") ? -4 : -1);
}

/** What a command's words may be. */
interface Form {
  /** Most calls have no options. */
  readonly spellings: Later<ReadonlyMap<string, Spelling>>;
  readonly args: readonly ArgumentSpec[];
}

interface ArgumentSpec {
  readonly name: string;
  readonly isNeeded: boolean;
  readonly isMany: boolean;
}

const known = new WeakMap<Command, Form>();

function formOf(command: Command): Form {
  let form = known.get(command);
  if (form === undefined) {
    form = {
      spellings: new Later(
        () => new Map([...command.options, ...GLOBAL_OPTIONS].flatMap(({ flags }) => spell(flags))),
      ),
      args: command.args.map(({ usage }) => ({
        name: argumentName(usage),
        isNeeded: usage.startsWith("<"),
        isMany: usage.includes("..."),
      })),
    };
    known.set(command, form);
  }
  return form;
}

/** `-n, --count <n>`: both spellings, one name. */
function spell(flags: string): [string, Spelling][] {
  const [words = "", value] = flags.split(" <");
  if (flags.includes("[") || flags.includes("...")) return []; // a value that may be missing, or several
  const spellings = words.split(", ");
  const last = spellings.at(-1) ?? "";
  const long = last.slice(last.startsWith("--") ? 2 : 1);
  const isNegation = long.startsWith("no-");
  const [head, ...tail] = (isNegation ? long.slice(3) : long).split("-");
  const name = head + tail.map((part) => part.slice(0, 1).toUpperCase() + part.slice(1)).join("");
  return spellings.map((spelling) => [spelling, { name, takesValue: value !== undefined, isNegation }]);
}
