// What a bench has found: printed as a table and, with SAVE=1 (`npm run bench -- --save`), kept in results/, which
// `npm run bench:docs` makes docs/performance.md of.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { machine, versionsOf } from "./machine.js";

export const RESULTS = join(import.meta.dirname, "results");
/** More digits than any clock here can tell. */
const DIGITS = 6;

/**
 * One table.
 * @param {object} found
 * @param {string} found.name of the result: one word, of the file and for performance.md
 * @param {string} found.title what is compared
 * @param {string} found.command what measures it again
 * @param {string} found.settings how much and how often
 * @param {Array<{ id: string, head: string, unit?: string, digits?: number }>} found.columns
 * @param {Array<{ name: string } & Record<string, number>>} found.rows the values by the ids of the columns; what was not measured is left out
 * @param {string[]} [found.notes] sentences that belong to it
 * @param {string[]} [found.peers] programs whose versions matter
 */
export function report({ name, title, command, settings, columns, rows, notes = [], peers = [] }) {
  const found = { name, title, command, settings, columns, rows: rows.map(withId), notes };
  print(found);
  if (process.env.SAVE !== "1") return;
  const where = {
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    versions: versionsOf(peers),
  };
  mkdirSync(RESULTS, { recursive: true });
  const rounded = (_, value) => (typeof value === "number" ? Number(value.toPrecision(DIGITS)) : value);
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify({ ...found, ...where }, rounded, 2)}\n`);
}

/** The name's words, by which performance.md asks for a row. */
function withId({ name, ...values }) {
  const id = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  return { id, name, ...values };
}

/** A value as people read it; nothing for one that was not measured. */
export function shown(value, { unit, digits = 2 }) {
  if (value === undefined) return "";
  const number = value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return unit === undefined ? number : `${number} ${unit}`;
}

function print({ title, settings, columns, rows, notes }) {
  console.log(`\n${plain(title)}; ${plain(settings)}`);
  const lines = [
    ["what", ...columns.map(({ head }) => plain(head))],
    ...rows.map((row) => [plain(row.name), ...columns.map((column) => shown(row[column.id], column))]),
  ];
  const widths = lines[0].map((_, at) => Math.max(...lines.map((cells) => cells[at].length)));
  for (const [name, ...cells] of lines) {
    console.log(
      [name.padEnd(widths[0]), ...cells.map((cell, at) => cell.padStart(widths[at + 1]))].join("  "),
    );
  }
  for (const note of notes) console.log(plain(note));
}

function plain(markdown) {
  return markdown.replaceAll("`", "");
}
