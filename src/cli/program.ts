/**
 * From words to a call. The only importer of commander. Only the called command is loaded and registered: its
 * options and the global ones form one commander command, so that global options work before and after the name.
 */
import { CommanderError, Command as Parser } from "commander";
import { BlackboardError, usageError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Command } from "./command.ts";
import { COMMANDS, GROUPS } from "./commands/index.ts";
import { Given } from "./given.ts";
import { GLOBAL_OPTIONS, TAKES_VALUE } from "./globals.ts";
import { commandHelp } from "./help.ts";

/** What the words ask for. */
export type Call =
  | { readonly kind: "run"; readonly command: Command; readonly given: Given; readonly globals: Globals }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" };

/** Global options as typed, by their long names. */
export type Globals = Readonly<Record<string, string | boolean | undefined>>;

/** @throws BlackboardError `usage` */
export async function parseCall(argv: readonly string[], columns: number): Promise<Call> {
  const { before, name, after } = splitAtName(argv);
  if (wants(VERSION, before) || isOnly(VERSION, after)) return { kind: "version" };
  if (name === undefined || name === "help") return helpCall(before, name, after, columns);
  // What follows an unknown option may be its value, not a command's name: `--pasword hunter2 get k`.
  const stray = COMMANDS.has(name) ? undefined : strayOption(before);
  if (stray !== undefined) throw unknownOption(stray);
  if (wants(HELP, before) || isOnly(HELP, after)) return helpOn(name, columns);
  const command = await loadCommand(name);
  const parser = makeParser(command);
  const { words, behind, isCommand } = splitAtDashes(command, after);
  try {
    parser.parse([...before, ...words], { from: "user" });
  } catch (error) {
    if (error instanceof HelpAsked) return helpOn(name, columns);
    throw asUsageError(error, command);
  }
  if (isCommand && behind.length === 0)
    throw usageError("behind -- the command to run is missing", hintOn(command));
  return { kind: "run", command, given: givenOf(command, parser, behind), globals: parser.opts() };
}

/** What stands behind the first `--` belongs to the command that is to be run, untouched. */
function splitAtDashes(command: Command, after: readonly string[]) {
  const at = command.takesCommand ? after.indexOf("--") : -1;
  if (at < 0) return { words: after, behind: [], isCommand: command.takesCommand === "always" };
  return { words: after.slice(0, at), behind: after.slice(at + 1), isCommand: true };
}

/** Finds the command's name, of two words if the first is a group's; then global options may stand between them, too. */
function splitAtName(argv: readonly string[]) {
  const first = splitAtWord(argv);
  if (first.name === undefined || !GROUPS.has(first.name)) return first;
  const { before, name, after } = splitAtWord(first.after);
  const whole = name === undefined ? first.name : `${first.name} ${name}`;
  return { before: [...first.before, ...before], name: whole, after };
}

/** At the first word that is neither a global option nor such an option's value. */
function splitAtWord(argv: readonly string[]) {
  let at = 0;
  while (at < argv.length && argv[at]?.startsWith("-") && argv[at] !== "--") {
    at += TAKES_VALUE.get(argv[at] ?? "") ? 2 : 1;
  }
  return { before: argv.slice(0, at), name: argv[at], after: argv.slice(at + 1) };
}

const HELP = ["--help", "-h"];
const VERSION = ["--version", "-V"];
class HelpAsked extends Error {}

function wants(spellings: readonly string[], words: readonly string[]): boolean {
  return words.some((word) => spellings.includes(word));
}

/**
 * Behind the command's name these count only where nothing else stands: `set key -V` has lost a value, and must not
 * pass for a question that was answered. `--help` alone is understood among other words (see `makeParser`).
 */
function isOnly(spellings: readonly string[], words: readonly string[]): boolean {
  return words.length === 1 && wants(spellings, words);
}

async function helpCall(
  before: readonly string[],
  name: string | undefined,
  after: readonly string[],
  columns: number,
): Promise<Call> {
  const topic = name === "help" ? splitAtName(after).name : undefined;
  if (topic !== undefined) return helpOn(topic, columns);
  const stray = strayOption(before);
  if (stray !== undefined) throw unknownOption(stray);
  if (name === undefined && !wants(HELP, before)) {
    throw usageError("no command given", "timmy-bb --help lists the commands");
  }
  const { overview } = await import("./help.ts");
  return { kind: "help", text: await overview(columns) };
}

/** On a command, or a group of them. */
async function helpOn(name: string, columns: number): Promise<Call> {
  if (!GROUPS.has(name)) return { kind: "help", text: commandHelp(await loadCommand(name), columns) };
  const { groupHelp } = await import("./help.ts");
  return { kind: "help", text: await groupHelp(name, columns) };
}

/** The first option before the command that is neither a global one nor a question for help. */
function strayOption(words: readonly string[]): string | undefined {
  return words.find((word) => word.startsWith("-") && !isGlobal(word) && !HELP.includes(word));
}

function isGlobal(word: string): boolean {
  return TAKES_VALUE.has(word.replace(/=.*/s, ""));
}

async function loadCommand(name: string): Promise<Command> {
  const load = COMMANDS.get(name);
  if (load !== undefined) return load();
  const [word = "", second] = name.split(" ");
  if (second === undefined && GROUPS.has(word))
    throw usageError(`${word} alone is no command`, `timmy-bb ${word} --help lists what there is`);
  const group = second === undefined ? "" : `${word} `;
  const guess = nearest(second ?? word, wordsBehind(group));
  const shown = /^[a-z][a-z-]{0,30}( [a-z][a-z-]{0,30})?$/.test(name) ? ` "${name}"` : "";
  throw usageError(
    `there is no command${shown}`,
    guess === null ? `timmy-bb ${group}--help lists the commands` : `did you mean ${group}${guess}?`,
  );
}

/** The words that may stand there in a command's name. */
function wordsBehind(group: string): ReadonlySet<string> {
  const names = [...COMMANDS.keys()].filter((name) => name.startsWith(group));
  return new Set(names.map((name) => name.slice(group.length).replace(/ .*/, "")));
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
    const name = usage.replace(/[<>[\].]/g, "");
    return [name, parser.processedArgs[index] as string | string[] | undefined] as const;
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

function unknownOption(word: string, command?: Command): BlackboardError {
  const name = word.replace(/=.*/s, "");
  const shown = /^(--[a-z][a-z-]{0,24}|-[a-z])$/i.test(name) ? ` ${name}` : ""; // -word is rather a value
  const known = [...(command?.options ?? []), ...GLOBAL_OPTIONS].flatMap(
    ({ flags }) => /--[a-z-]+/.exec(flags) ?? [],
  );
  const guess = shown === "" ? null : nearest(name, known);
  const way = command?.takesCommand ? hintOn(command) : "a value that begins with - goes behind --";
  return usageError(`there is no option${shown}`, guess === null ? way : `did you mean ${guess}?`);
}

function hintOn({ name }: Command): string {
  return `timmy-bb ${name} --help shows how`;
}
