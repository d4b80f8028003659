/** Renders docs/commands.md and docs/configuration.md from the specs that the program itself uses. */
import type { Command, Option } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands/index.ts";
import { EXITS } from "../../src/cli/exit.ts";
import { GLOBAL_OPTIONS, QUESTIONS } from "../../src/cli/globals.ts";
import { usageLine } from "../../src/cli/help.ts";
import { configReference } from "../../src/config/index.ts";

const NOTE = "<!-- Made from src/ by `npm run docs`; a test holds them together. -->";

export async function commandsPage(): Promise<string> {
  const commands = await Promise.all([...COMMANDS.values()].map((load) => load()));
  return [
    "# Commands",
    NOTE,
    "Every example below is run by a test, in order, on a board of its own.",
    ...commands.map(commandSection),
    "## Global options",
    "Before or after the command.",
    optionTable([...GLOBAL_OPTIONS, ...QUESTIONS]),
    "## Exit codes",
    table(
      ["code", "meaning"],
      Object.values(EXITS).map(({ code, meaning }) => [String(code), meaning]),
    ),
    "",
  ].join("\n\n");
}

export function configurationPage(): string {
  return [
    "# Configuration",
    NOTE,
    "A setting is taken from the flag, else the environment variable, else the `blackboard` section of the config file, else the default; `timmy-bb status` shows which it was.",
    "The config file is `--config`, else `$TIMMY_BB_CONFIG`, else the nearest `config.yaml` with a `blackboard` section from the working directory upwards, else `$XDG_CONFIG_HOME/timmy-bb/config.yaml`, else none. Other sections of the file are not read. `keyspace_prefix`, `ttl_seconds` and `fallback_to_memory` may also stand inside `redis:`.",
    configReference(),
    "",
  ].join("\n\n");
}

function commandSection(command: Command): string {
  const examples = command.examples.map(({ about, shell, prints }) => {
    const output = prints === undefined || prints === "" ? "" : `\n${prints.replace(/\n$/, "")}`;
    return `# ${about}\n$ ${shell}${output}`;
  });
  const parts = [`## ${command.name}`, `\`${usageLine(command)}\``, command.promise];
  if (command.args.length > 0) {
    parts.push(
      table(
        ["argument", ""],
        command.args.map(({ usage, about }) => [code(usage), about]),
      ),
    );
  }
  if (command.options.length > 0) parts.push(optionTable(command.options));
  return [...parts, `\`\`\`console\n${examples.join("\n\n")}\n\`\`\``].join("\n\n");
}

function optionTable(options: readonly Option[]): string {
  return table(
    ["option", ""],
    options.map(({ flags, about }) => [code(flags), about]),
  );
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}
