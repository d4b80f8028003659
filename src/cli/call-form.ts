/** How a call wants to be answered: in which form, with colour or not. */
import { usageError } from "../core/errors.ts";
import { Later } from "../core/later.ts";
import type { Globals } from "./program.ts";
import { Reporter } from "./report.ts";
import type { Sink } from "./sink.ts";
import { type ColorMode, loadStyle, wantsColor } from "./style.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Errors of parsing must come in the form asked for, so the words are looked at before they are parsed. */
export function makeReporter(argv: readonly string[], err: Sink, env: Environment): Reporter {
  const words = wordsBeforeDashes(argv);
  const style = new Later(() => loadStyle(wantsColor(colorWord(words), env, err.isTerminal)));
  return new Reporter(err, {
    json: words.includes("--json"),
    quiet: isQuiet(words),
    debug: words.includes("--debug"),
    style: () => style.it,
  });
}

function isQuiet(words: readonly string[]): boolean {
  for (const word of words)
    if (word === "--quiet" || (word.startsWith("-") && /^-[a-z0]*q[a-z0]*$/i.test(word))) return true; // `-fq` too
  return false;
}

/** @throws BlackboardError `usage` for another `--color` than there is */
export function hasColor(globals: Globals, env: Environment, out: Sink): boolean {
  return wantsColor(colorMode(globals), env, out.isTerminal);
}

/** A wrong one is told later, when the words are parsed. */
function colorWord(words: readonly string[]): ColorMode {
  const at = words.indexOf("--color");
  const word = at < 0 ? words.find((one) => one.startsWith("--color="))?.slice(8) : words[at + 1];
  return word === "always" || word === "never" ? word : "auto";
}

function wordsBeforeDashes(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  return end < 0 ? argv : argv.slice(0, end);
}

function colorMode({ color = "auto" }: Globals): ColorMode {
  if (color === "auto" || color === "always" || color === "never") return color;
  throw usageError("--color: must be auto, always or never");
}
