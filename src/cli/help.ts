/** Help, from the specs alone. */
import { SETTINGS } from "../config/index.ts";
import type { Command, Option } from "./command.ts";
import { COMMANDS } from "./commands/index.ts";
import { EXITS } from "./exit.ts";
import { GLOBAL_OPTIONS, QUESTIONS } from "./globals.ts";

const MAX_WIDTH = 100;

/** How a command is called: `timmy-bb get <key> [options]`. */
export function usageLine({ name, args, takesCommand }: Command): string {
  const words = ["timmy-bb", name, ...args.map(({ usage }) => usage), "[options]"];
  return [...words, ...(takesCommand ? ["[-- CMD ARG…]"] : [])].join(" ");
}

export function commandHelp(command: Command, columns: number): string {
  const width = Math.min(columns, MAX_WIDTH);
  const sections = [
    `Usage: ${usageLine(command)}`,
    wrap(command.promise, width, ""),
    section(
      "Arguments",
      command.args.map(({ usage, about }) => [usage, about]),
      width,
    ),
    section("Options", command.options.map(asLine), width),
    section("Global options", [...GLOBAL_OPTIONS, ...QUESTIONS].map(asLine), width),
    ["Examples:", ...command.examples.flatMap(({ about, shell }) => [`  # ${about}`, `  ${shell}`])].join(
      "\n",
    ),
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
}

export async function overview(columns: number): Promise<string> {
  const width = Math.min(columns, MAX_WIDTH);
  const commands = await Promise.all([...COMMANDS.values()].map((load) => load()));
  const environment = SETTINGS.map(({ env }) => env).filter((name) => name !== undefined);
  const sections = [
    "Usage: timmy-bb <command> [options]",
    wrap(
      "A blackboard for agents: one map of keys and one log of messages, on redis or on a file.",
      width,
      "",
    ),
    section(
      "Commands",
      commands.map(({ name, summary }) => [name, summary]),
      width,
    ),
    section(
      "Global options, before or after the command",
      [...GLOBAL_OPTIONS, ...QUESTIONS].map(asLine),
      width,
    ),
    section(
      "Exit codes",
      Object.values(EXITS).map(({ code, meaning }) => [String(code), meaning]),
      width,
    ),
    `Environment:\n${wrap([...environment, "TIMMY_BB_CONFIG"].join(", "), width, "  ")}`,
    "timmy-bb <command> --help has each command's promise, options and examples.",
  ];
  return `${sections.join("\n\n")}\n`;
}

function asLine({ flags, about }: Option): [string, string] {
  return [flags, about];
}

function section(title: string, lines: readonly (readonly [string, string])[], width: number): string {
  if (lines.length === 0) return "";
  const column = Math.max(...lines.map(([left]) => left.length)) + 4;
  const shown = lines.map(([left, right]) => {
    const text = wrap(right, width - column, " ".repeat(column)).trimStart();
    return `  ${left.padEnd(column - 2)}${text}`;
  });
  return [`${title}:`, ...shown].join("\n");
}

function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > Math.max(width, 20)) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, indent + line].join("\n");
}
