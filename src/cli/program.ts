/** From words to a call. Only the called command is loaded. */
import { usageError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Command } from "./command.ts";
import { COMMANDS, GROUPS } from "./commands/index.ts";
import type { Given } from "./given.ts";
import { TAKES_VALUE } from "./globals.ts";
import { hintOn, unknownOption } from "./misuse.ts";
import { readPlainly, type Typed } from "./plain-words.ts";

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
  const typed = readPlainly(command, [...before, ...after]) ?? (await readAll(command, before, after));
  return typed === "help" ? helpOn(name, columns) : { kind: "run", command, ...typed };
}

async function readAll(
  command: Command,
  before: readonly string[],
  after: readonly string[],
): Promise<Typed | "help"> {
  const { readWords } = await import("./parser.ts");
  const { words, behind, isCommand } = splitAtDashes(command, after);
  const typed = readWords(command, [...before, ...words], behind);
  if (typed === "help" || !isCommand || behind.length > 0) return typed;
  throw usageError("behind -- the command to run is missing", hintOn(command));
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

function wants(spellings: readonly string[], words: readonly string[]): boolean {
  for (const word of words) if (spellings.includes(word)) return true;
  return false;
}

/**
 * Behind the command's name these count only where nothing else stands: `set key -V` has lost a value, and must not
 * pass for a question that was answered. `--help` alone is understood among other words (see `parser.ts`).
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
  const { commandHelp, groupHelp } = await import("./help.ts");
  if (!GROUPS.has(name)) return { kind: "help", text: commandHelp(await loadCommand(name), columns) };
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
