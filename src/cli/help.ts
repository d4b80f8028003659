/** Help, from the specs alone. */
import { SETTINGS } from "../config/index.ts";
import type { Command, Option } from "./command.ts";
import { COMMANDS, GROUPS } from "./commands/index.ts";
import { EXITS } from "./exit.ts";
import { GLOBAL_OPTIONS, QUESTIONS } from "./globals.ts";

const MAX_WIDTH = 100;

/** How a command is called: `timmy-bb get <key> [options]`. */
export function usageLine({ name, args, takesCommand }: Command): string {
  const words = ["timmy-bb", name, ...args.map(({ usage }) => usage), "[options]"];
  const command = { perhaps: ["[-- CMD ARG…]"], always: ["-- CMD ARG…"] };
  return [...words, ...(takesCommand ? command[takesCommand] : [])].join(" ");
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

/** On the commands whose names begin with this word. */
export async function groupHelp(group: string, columns: number): Promise<string> {
  const width = Math.min(columns, MAX_WIDTH);
  const sections = [
    `Usage: timmy-bb ${group} <command> [options]`,
    wrap(GROUPS.get(group) ?? "", width, ""),
    section("Commands", await summaries(`${group} `), width),
    `timmy-bb ${group} <command> --help has each command's promise, options and examples.`,
  ];
  return `${sections.join("\n\n")}\n`;
}

export async function overview(columns: number): Promise<string> {
  const width = Math.min(columns, MAX_WIDTH);
  const environment = SETTINGS.map(({ env }) => env).filter((name) => name !== undefined);
  const sections = [
    "Usage: timmy-bb <command> [options]",
    wrap(
      "A blackboard for agents: one map of keys and one log of messages, on redis or on a file.",
      width,
      "",
    ),
    section("Commands", await summaries(""), width),
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

/** Of the commands whose names begin like this. */
async function summaries(beginning: string): Promise<[string, string][]> {
  const wanted = [...COMMANDS].filter(([name]) => name.startsWith(beginning));
  const commands = await Promise.all(wanted.map(([, load]) => load()));
  return commands.map(({ name, summary }) => [name, summary]);
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
