/** What was typed for one command: arguments and options, read by the name they have in the command's spec. */
import { parseDuration } from "../core/duration.ts";
import { usageError } from "../core/errors.ts";

/** No options at all, as in most calls of a batch: to look for each by its name takes time. */
export const NO_OPTIONS: Readonly<Record<string, never>> = Object.freeze({});

export class Given {
  readonly #args: ReadonlyMap<string, string | readonly string[] | undefined>;
  readonly #options: Readonly<Record<string, unknown>>;
  /** What stands behind `--`, if that is a command: its name and arguments; else nothing. */
  readonly command: readonly string[];

  /** @param options commander's: camel-cased names; `--no-x` is `x: false` */
  constructor(
    args: ReadonlyMap<string, string | readonly string[] | undefined>,
    options: Readonly<Record<string, unknown>>,
    command: readonly string[] = [],
  ) {
    this.#args = args;
    this.#options = options;
    this.command = command;
  }

  /** An argument that must be there. */
  arg(name: string): string {
    const value = this.optionalArg(name);
    if (value === undefined) throw usageError(`the ${name} is missing`);
    return value;
  }

  optionalArg(name: string): string | undefined {
    const value = this.#args.get(name);
    return typeof value === "string" ? value : undefined;
  }

  /** The values of a repeatable argument. */
  rest(name: string): readonly string[] {
    const value = this.#args.get(name);
    return Array.isArray(value) ? value : [];
  }

  flag(name: string): boolean {
    return this.#option(name) === true;
  }

  /** Whether `--no-NAME` was given. */
  negated(name: string): boolean {
    return this.#option(name) === false;
  }

  text(name: string): string | undefined {
    const value = this.#option(name);
    return typeof value === "string" ? value : undefined;
  }

  /** Milliseconds. */
  duration(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseDuration(`--${kebab(name)}`, text);
  }

  /** A whole number from `least` up. */
  count(name: string, least: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = /^\d{1,15}$/.test(text) ? Number(text) : -1;
    if (number >= least) return number;
    throw usageError(`--${kebab(name)}: must be a whole number, at least ${least}`);
  }

  /** Those of some options that were given, as they are typed. */
  present(...names: readonly string[]): string[] {
    return names.filter((name) => this.#option(name) !== undefined).map((name) => `--${kebab(name)}`);
  }

  /** At most one of these may be given. */
  exclusive(...names: readonly string[]): void {
    if (this.#options === NO_OPTIONS) return;
    const present = this.present(...names);
    if (present.length < 2) return;
    throw usageError(`${present.join(" and ")} cannot go together`);
  }

  #option(name: string): unknown {
    return this.#options === NO_OPTIONS ? undefined : this.#options[name];
  }
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
