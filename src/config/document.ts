/**
 * The YAML of a config file, as far as it concerns us. The file belongs to other programs too: their sections are
 * parsed for syntax and never resolved, so that tags, anchors, duplicate keys and alias bombs in them are theirs.
 * The parser's own messages quote the file, so none of them is passed on: only a place and a general reason.
 *
 * `yaml` takes about 10 ms to load; it is loaded when a file has the word `blackboard` in it.
 */
import type * as Yaml from "yaml";
import { isDeeperThan } from "./nesting.ts";

/** Deeper than any configuration; beyond some thousands the parser would use up the stack. */
const MAX_DEPTH = 200;

/** The section's name in the file. */
export const SECTION = "blackboard";

/** The parser, as its default export is typed. */
export type YamlModule = (typeof Yaml)["default"];

/** Something wrong in the file: where, and what in general words. */
export interface Problem {
  readonly line: number | null;
  readonly column: number | null;
  readonly reason: string;
}

/** The pieces of `yaml` and of the file that reading the section takes. */
export interface Source {
  readonly yaml: YamlModule;
  /** Line, from 1, of an offset into the text. */
  readonly lineAt: (offset: number) => number;
}

export interface Section extends Source {
  /** The key `blackboard` and what stands under it. */
  readonly pair: Yaml.Pair<unknown, unknown>;
  readonly line: number;
}

const REASONS: { readonly [Code in Yaml.ErrorCode]?: string } = {
  BAD_INDENT: "the indentation is wrong, or a bracket is not closed",
  BAD_SCALAR_START: "a value begins with a character that needs quotes",
  BAD_DQ_ESCAPE: "an escape in double quotes is not one",
  BLOCK_AS_IMPLICIT_KEY: "a colon too many: a value that holds one needs quotes",
  BLOCK_IN_FLOW: "a block stands within brackets or braces",
  MISSING_CHAR: "a character is missing: a colon, quote, bracket, comma or space",
  MULTILINE_IMPLICIT_KEY: "a colon is missing",
  TAB_AS_INDENT: "a tab is used for indentation",
  TAG_RESOLVE_FAILED: "a tag cannot be used here",
};

/** The section, `null` if the file has none, or what is wrong with the file. */
export async function findInDocument(text: string): Promise<Section | Problem | null> {
  const { default: yaml } = await import("yaml"); // CommonJS: bundled, it has no named exports
  const lines = new yaml.LineCounter();
  const documents = parse(yaml, text, lines);
  if ("reason" in documents) return documents;
  const source: Source = { yaml, lineAt: (offset) => lines.linePos(offset).line };
  const sections = documents.map((document) => topLevel(source, document));
  const [section = null] = sections.flat();
  const problem = syntaxProblem(documents, section, lines) ?? repeated(documents, sections, source);
  return problem ?? section;
}

export function isProblem(found: Section | Problem): found is Problem {
  return "reason" in found;
}

type Documents = ReadonlyArray<Yaml.Document.Parsed>;

function parse(yaml: YamlModule, text: string, lines: Yaml.LineCounter): Documents | Problem {
  const tokens = Array.from(new yaml.Parser(lines.addNewLine).parse(text));
  if (isDeeperThan(MAX_DEPTH, tokens)) return { line: null, column: null, reason: "it is nested too deeply" };
  const options = { prettyErrors: false, uniqueKeys: false, merge: false, schema: "core" } as const;
  return Array.from(new yaml.Composer(options).compose(tokens));
}

/** The pairs of a document's top level whose key is the section's name. */
function topLevel({ yaml, lineAt }: Source, document: Yaml.Document.Parsed): Section[] {
  if (!yaml.isMap(document.contents)) return [];
  return document.contents.items
    .filter((pair) => yaml.isScalar(pair.key) && pair.key.value === SECTION)
    .map((pair) => ({ pair, yaml, lineAt, line: lineAt(offsetOf(pair.key)) }));
}

/** Errors of meaning, not of syntax: they count only within our section. */
const MEANING: ReadonlySet<Yaml.ErrorCode> = new Set(["TAG_RESOLVE_FAILED", "BAD_COLLECTION_TYPE"] as const);

/** The first error that concerns us. */
function syntaxProblem(
  documents: Documents,
  section: Section | null,
  lines: Yaml.LineCounter,
): Problem | null {
  const errors = documents.flatMap((document) => document.errors);
  const error = errors.find(({ code, pos }) => !MEANING.has(code) || isWithin(section, pos[0]));
  if (error === undefined) return null;
  const { line, col } = lines.linePos(error.pos[0]);
  return { line, column: col, reason: REASONS[error.code] ?? "it is not valid YAML" };
}

function isWithin(section: Section | null, offset: number): boolean {
  const value = section?.pair.value;
  return section !== null && offset >= offsetOf(section.pair.key) && offset < endOf(value);
}

/** A second section, or a second document beside one with a section: which of them counts nobody can tell. */
function repeated(documents: Documents, sections: readonly Section[][], source: Source): Problem | null {
  const [first, second] = sections.flat();
  if (first === undefined) return null;
  const other = documents[1];
  if (other !== undefined) {
    return { line: source.lineAt(other.range[0]), column: null, reason: "the file holds several documents" };
  }
  if (second === undefined) return null;
  const reason = `the section ${SECTION} is given twice (first in line ${first.line})`;
  return { line: second.line, column: null, reason };
}

/** Where a node begins in the text. */
export function offsetOf(node: unknown): number {
  return rangeOf(node)?.[0] ?? 0;
}

function endOf(node: unknown): number {
  return rangeOf(node)?.[2] ?? 0;
}

function rangeOf(node: unknown): Yaml.Range | null {
  if (typeof node !== "object" || node === null || !("range" in node)) return null;
  return node.range as Yaml.Range | null; // every node the parser makes has one
}
