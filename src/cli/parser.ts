/**
 * The words of any call: the only importer of commander, which is loaded when a call is not plain (`plain-words.ts`). The command's
 * options and the global ones form one commander command, so that global options work before and after the name.
 */
import { CommanderError, Command as Parser } from "commander";
import { BlackboardError, usageError } from "../core/errors.ts";
import type { Command } from "./command.ts";
import { Given } from "./given.ts";
import { GLOBAL_OPTIONS } from "./globals.ts";
import { hintOn, unknownOption } from "./misuse.ts";
import { argumentName, type Typed } from "./plain-words.ts";

class HelpAsked extends Error {}

/**
 * @param words all but the command's name, and what stands behind `--` if that is a command to run
 * @param behind that
 * @returns `help` if that is what is asked for
 * @throws BlackboardError `usage`
 */
export function readWords(
  command: Command,
  words: readonly string[],
  behind: readonly string[],
): Typed | "help" {
  const parser = makeParser(command);
  try {
    parser.parse([...words], { from: "user" });
  } catch (error) {
    if (error instanceof HelpAsked) return "help";
    throw asUsageError(error, command);
  }
  return { given: givenOf(command, parser, behind), globals: parser.opts() };
}

function makeParser(command: Command): Parser {
  const parser = new Parser(command.name).exitOverride().helpOption(false).allowExcessArguments(false);
  parser.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const { usage } of command.args) parser.argument(usage);
  for (const { flags } of [...command.options, ...GLOBAL_OPTIONS]) parser.option(flags);
  parser.option("--help").on("option:help", () => {
    throw new HelpAsked();
  });
  for (const name of ["ttl", "wait"]) refuseBoth(parser, name);
  return parser.action(() => {});
}

/** `--x` and `--no-x` share one value, of which the last would silently win. */
function refuseBoth(parser: Parser, name: string): void {
  let seen = "";
  const note = (option: string) => {
    if (seen !== "" && seen !== option) throw usageError(`--${name} and --no-${name} cannot go together`);
    seen = option;
  };
  parser.on(`option:${name}`, () => note("with")).on(`option:no-${name}`, () => note("without"));
}

function givenOf(command: Command, parser: Parser, behind: readonly string[]): Given {
  const args = command.args.map(({ usage }, index) => {
    return [argumentName(usage), parser.processedArgs[index] as string | string[] | undefined] as const;
  });
  return new Given(new Map(args), parser.opts(), behind);
}

/**
 * Commander's errors quote what was typed, which may be a value (`set key -secret`): only what looks like an option's
 * or argument's name is repeated.
 */
function asUsageError(error: unknown, command: Command): unknown {
  if (!(error instanceof CommanderError)) return error;
  const hint = hintOn(command);
  switch (error.code) {
    case "commander.unknownOption":
      return unknownOption(/'([^']*)'/.exec(error.message)?.[1] ?? "", command);
    case "commander.missingArgument":
      return usageError(`missing: ${/'([^']*)'/.exec(error.message)?.[1]}`, hint);
    case "commander.optionMissingArgument":
      return usageError(
        error.message.replace(/^error: option '(.*)' argument missing$/, "$1: the value is missing"),
        hint,
      );
    case "commander.excessArguments":
      return usageError("too many arguments", `${excessWay(command)}; ${hint}`);
    default:
      return new BlackboardError("usage", "the call cannot be understood", { hint });
  }
}

function excessWay({ takesCommand }: Command): string {
  return takesCommand ? "a command to run goes behind --" : "quote a value with spaces";
}
