/**
 * Which config file counts: the one that was named, else the nearest `config.yaml` with a `blackboard` section from
 * the working directory upwards, else the user's own, else none.
 *
 * A file somebody named, and the user's own, must be right. A `config.yaml` met on the way up may be anybody's: it
 * stops us only if it claims to be ours, by a line that begins with `blackboard:`.
 */
import { isUtf8 } from "node:buffer";
import { dirname, join } from "node:path";
import { BlackboardError } from "../core/errors.ts";
import { findInDocument, isProblem, type Problem, SECTION } from "./document.ts";
import { CONFIG_VARIABLE } from "./environment.ts";
import { expandPath, shownPath, userConfigFile } from "./paths.ts";
import { type Absence, type Head, readHead } from "./read-head.ts";
import { type Entry, readEntries } from "./section.ts";
import type { Surroundings } from "./types.ts";

/** Longer files are refused. 64 KiB. */
export const MAX_FILE_BYTES = 65_536;
/** How far a longer file, which may be anybody's, is searched for our section. */
const SEARCHED_BYTES = 1_048_576;
const CLAIM = /^\{?[ \t]*["']?blackboard["']?[ \t]*:/m;

export interface FoundConfig {
  /** Absolute; `null` if there is no file, and then no entries. */
  readonly file: string | null;
  /** The file for messages. */
  readonly shown: string;
  readonly entries: readonly Entry[];
  readonly warnings: readonly string[];
}

/** @throws BlackboardError `config` */
export async function discover(configFile: string | null, surroundings: Surroundings): Promise<FoundConfig> {
  const named = configFile ?? (surroundings.env[CONFIG_VARIABLE] || null);
  if (named !== null) return readNamed(named, surroundings);
  const warnings: string[] = [];
  for (const file of filesUpwards(surroundings.cwd)) {
    const head = readHead(file, SEARCHED_BYTES, "regular");
    if (isAbsent(head) && head.reason === null) continue;
    const shown = shownPath(file, surroundings.cwd);
    const entries = await readMet(head, shown, warnings);
    if (entries !== null) return { file, shown, entries, warnings };
  }
  return readUsers(surroundings, warnings);
}

async function readNamed(named: string, surroundings: Surroundings): Promise<FoundConfig> {
  if (named === "")
    throw new BlackboardError("config", "the config file's name is empty; is a variable unset?");
  const file = expandPath(named, surroundings.cwd, surroundings);
  const shown = shownPath(file, surroundings.cwd);
  const head = readHead(file, MAX_FILE_BYTES + 1, "any");
  if (isAbsent(head)) throw unreadable(shown, head);
  const entries = await entriesIn(head, shown, true);
  if (entries === null) throw noSection(shown);
  return { file, shown, entries, warnings: [] };
}

/** A file on the way up: its entries, or `null` to go on. */
async function readMet(
  head: Head | Absence,
  shown: string,
  warnings: string[],
): Promise<readonly Entry[] | null> {
  if (!isAbsent(head)) return entriesIn(head, shown, false);
  warnings.push(`${shown} cannot be read (${head.reason}) and is passed over`);
  return null;
}

async function readUsers(surroundings: Surroundings, warnings: readonly string[]): Promise<FoundConfig> {
  const none = { file: null, shown: "", entries: [] };
  const file = userConfigFile(surroundings);
  if (file === null) return { ...none, warnings };
  const head = readHead(file, MAX_FILE_BYTES + 1, "regular");
  if (isAbsent(head) && head.reason === null) return { ...none, warnings };
  const shown = shownPath(file, surroundings.cwd);
  if (isAbsent(head)) throw unreadable(shown, head);
  const entries = await entriesIn(head, shown, true);
  if (entries !== null) return { file, shown, entries, warnings };
  if (isBlank(head.bytes)) return { ...none, warnings };
  return { ...none, warnings: [...warnings, `${shown} has no ${SECTION} section and is passed over`] };
}

/**
 * The entries of a file's section, `null` if it has none.
 * @param strict whatever is wrong with the file is an error, even if the section may be nobody's
 */
async function entriesIn(head: Head, shown: string, strict: boolean): Promise<Entry[] | null> {
  const problem = unfit(head.bytes);
  if (problem === null && !head.bytes.includes(SECTION)) return null;
  const text = head.bytes.toString("utf8").replace(/^\ufeff/, "");
  const { readSimply } = await import("./simple-document.ts");
  const simple = problem === null ? readSimply(text) : null;
  if (simple !== null) return simple.entries;
  const found = problem ?? (await findInDocument(text));
  if (found === null) return null;
  if (!isProblem(found)) return readEntries(found, shown);
  if (strict || CLAIM.test(text)) throw malformed(shown, found);
  return null;
}

/** What makes a file unfit before it is parsed. */
function unfit(bytes: Buffer): Problem | null {
  const reason =
    bytes.length > MAX_FILE_BYTES
      ? "it is larger than 64 KiB"
      : bytes.includes(0) || !isUtf8(bytes)
        ? "it is not UTF-8 text"
        : null;
  return reason === null ? null : { line: null, column: null, reason };
}

function filesUpwards(cwd: string): string[] {
  const files: string[] = [];
  for (let directory = cwd; ; directory = dirname(directory)) {
    files.push(join(directory, "config.yaml"));
    if (dirname(directory) === directory) return files;
  }
}

function isAbsent(head: Head | Absence): head is Absence {
  return "reason" in head;
}

/** Nothing but blank lines and comments. */
function isBlank(bytes: Buffer): boolean {
  return bytes
    .toString("utf8")
    .split("\n")
    .every((line) => /^\s*(#|$)/.test(line));
}

function malformed(shown: string, { line, column, reason }: Problem): BlackboardError {
  const place = line === null ? shown : `${shown}:${line}${column === null ? "" : `:${column}`}`;
  return new BlackboardError("config", `${place}: ${reason}`);
}

function unreadable(shown: string, { reason }: Absence): BlackboardError {
  const what = reason === null ? "does not exist" : `cannot be read (${reason})`;
  return new BlackboardError("config", `the config file ${shown} ${what}`, {
    hint: `config files are named by --config, ${CONFIG_VARIABLE}, or found as config.yaml`,
  });
}

function noSection(shown: string): BlackboardError {
  return new BlackboardError("config", `the config file ${shown} has no ${SECTION} section`, {
    hint: `settings stand under a line "${SECTION}:"`,
  });
}
