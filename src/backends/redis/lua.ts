/** From the parts of the library and a body to the text a server gets. */

/** A function of the outermost level: from its first line to an `end` without an indent. */
const FUNCTION = /^(local function \w+\([^)\n]*\)\n[\s\S]*?^end\n)/m;
const COMMENT = /^ *--.*\n/gm;

/**
 * Without the functions that nobody calls and without comments: a server makes each function anew at each run. Lua wants a function to stand
 * before whoever calls it, so one that nothing behind it mentions can go.
 */
export function prune(source: string): string {
  const words = new Set<string>();
  const kept: string[] = [];
  for (const part of source.replace(COMMENT, "").split(FUNCTION).reverse()) {
    const name = FUNCTION.test(part) ? (/^local function (\w+)/.exec(part)?.[1] ?? "") : null;
    if (name !== null && !words.has(name)) continue;
    for (const word of part.match(/\w+/g) ?? []) words.add(word);
    kept.push(part);
  }
  return kept.reverse().join("");
}
