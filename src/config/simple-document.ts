/**
 * Config files of the simplest kind, read without the YAML parser, which takes longer to load than everything else a call does: maps of
 * plain names and plain values, comments, one map in braces a line. What is read here YAML reads alike (a test holds the two against
 * each other); a file with anything else in it – and anything wrong in our section – is left to the parser.
 */
import { SECTION } from "./document.ts";
import type { Entry } from "./section.ts";
import { SETTINGS } from "./settings.ts";

const PATHS: ReadonlySet<string> = new Set(SETTINGS.flatMap(({ paths }) => paths));
const GROUPS: ReadonlySet<string> = new Set(
  [...PATHS].flatMap((path) => (path.includes(".") ? [path.slice(0, path.indexOf("."))] : [])),
);

const NAME = "[A-Za-z_][A-Za-z0-9_-]{0,99}"; // YAML ends a name after 1,024 characters
const WORD = "[A-Za-z0-9_./@+-]+";
/** In quotes without escapes; or without, where it is neither a number nor a word with a meaning nor punctuation of YAML's. */
const VALUE = `"[ !#-[\\]-~]*"|'[ -&(-~]*'|(?=[A-Za-z/])${WORD}(?:[: ]${WORD})*|[0-9]+(?:ms|[smhd])?`;
const REMARK = "#[^\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ufeff]*";
const COMMENT = `(?: +${REMARK}| *)`;
const BLANK = new RegExp(`^(?:${REMARK}|${COMMENT})$`);
const PAIR = new RegExp(`^( *)(- )?(${NAME}):(?: +(${VALUE}|\\{[^{}]*\\}))?${COMMENT}$`);
const ITEM = new RegExp(`^ *(${NAME}): +(${VALUE}) *$`);

/** A name, and what stands behind it in its line; `undefined`: nothing. */
interface Line {
  /** Of the name. */
  readonly indent: number;
  /** It is the first of an item of a list: a dash stands two places before it. */
  readonly isItem: boolean;
  readonly name: string;
  readonly text: string | undefined;
  readonly number: number;
}

/** @returns the entries of the section, none if there is no such section; `null`: the parser has to say */
export function readSimply(text: string): { readonly entries: Entry[] | null } | null {
  const lines = linesOf(text);
  if (lines === null || !isNestedWell(lines)) return null;
  const heads = lines.filter(({ indent, name }) => indent === 0 && name === SECTION);
  const [head] = heads;
  if (head === undefined) return { entries: null };
  if (heads.length > 1 || head.text !== undefined) return null;
  const entries = entriesBelow(lines, lines.indexOf(head), "");
  return entries && { entries };
}

function linesOf(text: string): Line[] | null {
  const lines: Line[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (BLANK.test(line)) continue;
    const [, blanks, dash, name, text] = PAIR.exec(line) ?? [];
    if (blanks === undefined || name === undefined) return null;
    const isItem = dash !== undefined;
    lines.push({ indent: blanks.length + (isItem ? 2 : 0), isItem, name, text, number: index + 1 });
  }
  return lines;
}

/** The parser refuses what is nested much deeper (see `document.ts`). */
const DEEP = 50;

/** One map or list that the next line may go on with. */
interface Level {
  readonly indent: number;
  readonly isList: boolean;
}

/** Each line stands where a line above it does, or is the first below a name without a value; all values can be read. */
function isNestedWell(lines: readonly Line[]): boolean {
  const levels: Level[] = [];
  let opens = true;
  for (const { indent, isItem, text } of lines) {
    if (isItem && !enter(levels, { indent: indent - 2, isList: true }, opens)) return false;
    if (!enter(levels, { indent, isList: false }, opens || isItem)) return false;
    opens = text === undefined;
    const isRead =
      text === undefined || (text.startsWith("{") ? itemsOf(text) !== null : meaningOf(text) !== undefined);
    if (!isRead) return false;
  }
  return true;
}

/** @param opens whether a new level may begin here */
function enter(levels: Level[], level: Level, opens: boolean): boolean {
  const depth = levels.length;
  while (level.indent < (levels.at(-1)?.indent ?? 0)) levels.pop();
  const top = levels.at(-1);
  if (top?.indent === level.indent) return top.isList === level.isList;
  if (!opens || levels.length < depth || depth > DEEP || (top === undefined && level.indent > 0))
    return false;
  levels.push(level);
  return true;
}

/** The entries below a line; `null` if one of them is none that is known, or not what it should be. */
function entriesBelow(lines: readonly Line[], at: number, group: string): Entry[] | null {
  const entries: Entry[] = [];
  const seen = new Set<string>();
  const outer = lines[at]?.indent ?? 0;
  const inner = lines[at + 1]?.indent ?? 0;
  for (let next = at + 1; (lines[next]?.indent ?? 0) > outer; next++) {
    const line = lines[next];
    if (line === undefined || line.indent > inner) continue; // below another
    if (line.isItem || seen.has(line.name)) return null;
    seen.add(line.name);
    const found = entriesOf(lines, next, line, group);
    if (found === null) return null;
    entries.push(...found);
  }
  return entries;
}

function entriesOf(lines: readonly Line[], at: number, line: Line, group: string): Entry[] | null {
  const { name, text, number } = line;
  if (group === "" && GROUPS.has(name)) {
    if (text === undefined) return entriesBelow(lines, at, name);
    const items = text.startsWith("{") ? (itemsOf(text) ?? []) : null;
    const entries = items?.map(([item, value]) => ({ path: `${name}.${item}`, line: number, value }));
    const known = new Set(entries?.map(({ path }) => path).filter((path) => PATHS.has(path)));
    return entries && known.size === entries.length ? entries : null; // each known, and once
  }
  const path = group === "" ? name : `${group}.${name}`;
  const isLeaf = PATHS.has(path) && !text?.startsWith("{") && (lines[at + 1]?.indent ?? 0) <= line.indent;
  return isLeaf ? [{ path, line: number, value: text === undefined ? null : meaningOf(text) }] : null;
}

/** The pairs of a map in braces. */
function itemsOf(text: string): [string, unknown][] | null {
  const items: [string, unknown][] = [];
  const inside = text.slice(1, -1);
  if (inside.trim() === "") return items;
  for (const item of inside.split(",")) {
    const [, name, word] = ITEM.exec(item) ?? [];
    const value = word === undefined ? undefined : meaningOf(word);
    if (name === undefined || value === undefined) return null;
    items.push([name, value]);
  }
  return items;
}

/** What YAML's core schema makes of it; `undefined`: the parser has to say. */
function meaningOf(text: string): unknown {
  if (/^["']/.test(text)) return text.slice(1, -1);
  if (/^\d+$/.test(text)) return /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : undefined;
  if (!/^(true|false|null)$/i.test(text)) return text;
  return { true: true, false: false, null: null }[text];
}
