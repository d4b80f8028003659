/** The settings as a table for `docs/configuration.md`; a test holds the document to it. */
import { SETTINGS, type Setting } from "./settings.ts";

/** A Markdown table, one row a setting, in the order of the file. */
export function configReference(): string {
  const head = [
    "| setting | takes | default | flag | environment | option | meaning |",
    "|---|---|---|---|---|---|---|",
  ];
  return [...head, ...SETTINGS.map(row)].join("\n");
}

function row(setting: Setting): string {
  const { paths, kind, defaultText, flag, env, option, sentence } = setting;
  const names = paths.map(code).join(" or ");
  const cells = [names, kind.expected, code(defaultText), orDash(flag), code(env), orDash(option), sentence];
  return `| ${cells.map(escapeCell).join(" | ")} |`;
}

function orDash(text: string | null): string {
  return text === null ? "–" : code(text);
}

function code(text: string): string {
  return `\`${text}\``;
}

/** A bar would end the cell; angle brackets would be taken for HTML. */
function escapeCell(text: string): string {
  return text.replace(/\|/g, "\\|").replace(/</g, "&lt;");
}
