// `npm run bench:docs`: makes docs/performance.md and docs/plots of bench/performance.md and of what `npm run bench -- --save` has
// kept in results/. With --check it writes nothing and exits 1 if they are not up to date. In bench/performance.md stand for
//   {{table RESULT}}         a result as a table, with how it was measured
//   {{plot NAME}}            a plot (plots/index.js)
//   {{RESULT ROW COLUMN}}    one value
//   {{targets}}              what was wanted, and what is (targets.js)
//   {{machine}}              where and when all this was measured
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { plotsOf } from "./plots/index.js";
import { shown } from "./report.js";
import { keptResults, valueAt } from "./results.js";
import { targetLines } from "./targets.js";

const DOCS = join(import.meta.dirname, "../docs");
const TEMPLATE = join(import.meta.dirname, "performance.md");

const results = keptResults();
const plots = plotsOf(results);
const files = {
  "performance.md": page(readFileSync(TEMPLATE, "utf8")),
  ...Object.fromEntries(plots.map(({ name, svg }) => [`plots/${name}.svg`, svg])),
};
const isStale = ([name, content]) =>
  !existsSync(join(DOCS, name)) || readFileSync(join(DOCS, name), "utf8") !== content;
const stale = Object.entries(files).filter(isStale);
if (process.argv.includes("--check")) {
  for (const [name] of stale) console.error(`docs/${name} is not what the results make: npm run bench:docs`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [name, content] of stale) {
    mkdirSync(dirname(join(DOCS, name)), { recursive: true });
    writeFileSync(join(DOCS, name), content);
  }
}

function page(template) {
  const asked = new Set();
  const text = template.replaceAll(/\{\{(.+?)\}\}/g, (_, inner) => {
    const words = inner.trim().split(/\s+/);
    asked.add(words.join(" "));
    return filled(words);
  });
  const unused = Object.keys(results).filter((name) => !asked.has(`table ${name}`));
  if (unused.length > 0) throw new Error(`bench/performance.md has no table of ${unused.join(", ")}`);
  return text;
}

function filled([first, second, third]) {
  if (first === "table") return table(results[second]);
  if (first === "plot") return plot(second);
  if (first === "targets") return targetLines(results).join("\n");
  if (first === "machine") return machineLines().join("\n");
  return valueAt(results[first], second, third).shown;
}

function plot(name) {
  const found = plots.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no plot ${name}`);
  return `![${found.title}](plots/${name}.svg)`;
}

function table({ title, command, settings, columns, rows, notes }) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    `**${title}** – ${settings} (\`${command}\`)${notes.length > 0 ? `. ${notes.join(" ")}` : ""}`,
    "",
    line(["", ...columns.map(({ head }) => head)]),
    line(["---", ...columns.map(() => "---:")]),
    ...rows.map((row) => line([row.name, ...columns.map((column) => shown(row[column.id], column))])),
  ].join("\n");
}

/** One line a machine and its programs: all results should be of one. */
function machineLines() {
  const places = new Map();
  for (const { name, date, machine, versions } of Object.values(results)) {
    const { cores, cpu, memoryGiB, system } = machine;
    const place = `${cores} cores ${cpu}, ${memoryGiB} GiB, ${system}, node ${versions.node}`;
    const found = places.get(place) ?? { names: [], dates: [], programs: {} };
    Object.assign(found.programs, versions);
    places.set(place, { ...found, names: [...found.names, name], dates: [...found.dates, date].sort() });
  }
  return [...places].map(([place, { names, dates, programs }]) => {
    const { node: _, ...others } = programs;
    const peers = Object.entries(others).map(([name, version]) => `${name} ${version}`);
    const days = [...new Set([dates[0], dates.at(-1)])].join(" to ");
    const which = places.size > 1 ? ` (${names.join(", ")})` : "";
    return `* ${[place, ...peers].join(", ")}; ${days}${which}`;
  });
}
