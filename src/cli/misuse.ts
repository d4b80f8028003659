/** What is said of words that are no command or option. Never the word itself, which may be a value, unless it looks like a name. */
import { type BlackboardError, usageError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Command } from "./command.ts";
import { GLOBAL_OPTIONS } from "./globals.ts";

export function unknownOption(word: string, command?: Command): BlackboardError {
  const name = word.replace(/=.*/s, "");
  const shown = /^(--[a-z][a-z-]{0,24}|-[a-z])$/i.test(name) ? ` ${name}` : ""; // -word is rather a value
  const known = [...(command?.options ?? []), ...GLOBAL_OPTIONS].flatMap(
    ({ flags }) => /--[a-z-]+/.exec(flags) ?? [],
  );
  const guess = shown === "" ? null : nearest(name, known);
  const way = command?.takesCommand ? hintOn(command) : "a value that begins with - goes behind --";
  return usageError(`there is no option${shown}`, guess === null ? way : `did you mean ${guess}?`);
}

export function hintOn({ name }: Command): string {
  return `timmy-bb ${name} --help shows how`;
}
