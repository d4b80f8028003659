/**
 * Kinds of setting values, and how each is read: from the file (typed by YAML), from text (flags, environment) and
 * from a library option (typed by JavaScript). A refusal says what was expected and never repeats the value, which
 * in a mis-indented file may be a password.
 */
import { formatDuration, parseDuration } from "../core/duration.ts";
import { BlackboardError } from "../core/errors.ts";
import { checkNewName } from "../core/names.ts";
import { parseRedisUrl } from "../core/redis-url.ts";

/** A value, or why not: a phrase that follows the setting's name. */
export type Reading<Value> = { readonly value: Value } | { readonly problem: string; readonly hint?: string };

export interface Kind<Value> {
  /** What may stand there, for people: `whole number of seconds, or null`. */
  readonly expected: string;
  /** Reads what YAML made of the file's scalar; `undefined` is a list or a map. */
  readonly fromFile: (raw: unknown) => Reading<Value>;
  /** Reads a flag or an environment variable. */
  readonly fromText: (text: string) => Reading<Value>;
  /** Reads a library option. */
  readonly fromOption: (raw: unknown) => Reading<Value>;
  /** The value for `status`; never a secret. */
  readonly show: (value: Value) => string;
}

/** A file, or a directory that holds `board.db`, as somebody wrote it. */
export interface PathText {
  readonly names: "file" | "directory";
  readonly text: string;
}

const MAX_NAME_BYTES = 256;
const MAX_COUNT = 1_000_000_000;
/** 100 years, the longest duration there is. */
const MAX_TTL_SECONDS = 100 * 365 * 86_400;
/** Node's timers hold 2^31 - 1 ms, 24.8 days; a longer one fires at once. */
const MAX_TIMER_MS = 24 * 86_400_000;

export const yesOrNo: Kind<boolean> = kind("true or false", {
  typed: (raw) => (typeof raw === "boolean" ? raw : undefined),
  text: (text) =>
    new Map([
      ["true", true],
      ["1", true],
      ["false", false],
      ["0", false],
    ]).get(text),
});

export function choice<Name extends string>(...names: readonly Name[]): Kind<Name> {
  const find = (raw: unknown) => names.find((name) => name === raw);
  return kind(orList(names), { typed: find, text: find });
}

export const count: Kind<number> = kind("a whole number from 0 to 1000000000", {
  typed: (raw) => wholeNumber(raw, MAX_COUNT),
  text: (text) => wholeNumber(/^\d{1,10}$/.test(text) ? Number(text) : null, MAX_COUNT),
});

export const duration: Kind<number> = {
  ...kind("a duration such as 90s, 1h30m or 7d", { typed: durationOf, text: durationOf }),
  show: formatDuration,
};

export const timeout: Kind<number> = {
  ...kind("a duration such as 500ms or 5s, at most 24d", { typed: timerOf, text: timerOf }),
  fromOption: (raw) => read(raw, "must be a number of milliseconds, at least 1 and at most 24 days", timerMs),
  show: formatDuration,
};

/** Milliseconds, or `null` for ever. In the file and as an option: whole seconds. As text: a duration, or 0. */
export const ttl: Kind<number | null> = {
  ...kind("a whole number of seconds, or null", { typed: ttlOfSeconds, text: ttlOfText }),
  fromText: (text) => read(text, "must be a duration such as 3600, 90s or 1h, or 0 for none", ttlOfText),
  show: (ms) => (ms === null ? "null" : String(ms / 1000)),
};

/** Who writes; `null`: the default. */
export const agent: Kind<string | null> = nullable(textKind("1 to 256 bytes of printable text", isName));

/** A name that may be empty and must leave alone what is timmy-bb's own. */
export const prefix: Kind<string> = {
  ...textKind(
    "at most 256 bytes of printable text, neither timmy-bb nor beginning with timmy-bb:",
    (text) => text === "" || (isName(text) && text !== "timmy-bb" && !text.startsWith("timmy-bb:")),
  ),
  show: (value) => (value === "" ? '""' : value),
};

/** A text that is never shown; empty is none. */
export const secret: Kind<string | null> = {
  ...kind<string | null>("text, in quotes", {
    typed: (raw) => (raw === null || raw === "" ? null : typeof raw === "string" ? raw : undefined),
    text: (text) => text,
  }),
  show: (value) => (value === null ? "not set" : "set"),
};

export const redisUrl: Kind<string> = {
  expected: "redis://[user:password@]host[:port][/db], rediss://… or unix:///path[?db=N]",
  fromFile: urlOf,
  fromText: urlOf,
  fromOption: urlOf,
  show: (url) => parseRedisUrl(url).shown,
};

/** The board's file in the config file; its directory everywhere else. `null`: the default. */
export const boardPath: Kind<PathText | null> = {
  expected: "a file's path, or null",
  fromFile: (raw) => read(raw, "must be a file's path, or null", (path) => pathOf("file", path)),
  fromText: (text) => read(text, "must be a directory's path", (path) => pathOf("directory", path)),
  fromOption: (raw) => read(raw, "must be a directory's path", (path) => pathOf("directory", path)),
  show: (path) => path?.text ?? "null",
};

interface Readers<Value> {
  readonly typed: (raw: unknown) => Value | undefined;
  readonly text: (text: string) => Value | undefined;
}

/** A kind whose readers give `undefined` for what they refuse. */
function kind<Value>(expected: string, readers: Readers<Value>): Kind<Value> {
  const typed = (raw: unknown) => read(raw, `must be ${expected}`, readers.typed);
  return {
    expected,
    fromFile: typed,
    fromText: (text) => read(text, `must be ${expected}`, readers.text),
    fromOption: typed,
    show: String,
  };
}

/** Text that YAML may take for a number or a boolean when it stands without quotes. */
function textKind(expected: string, accepts: (text: string) => boolean): Kind<string> {
  const accept = (raw: unknown) => (typeof raw === "string" && accepts(raw) ? raw : undefined);
  const plain = kind(expected, { typed: accept, text: accept });
  const fromFile = (raw: unknown): Reading<string> =>
    typeof raw === "number" || typeof raw === "boolean"
      ? { problem: "must be text: put it in quotes" }
      : plain.fromFile(raw);
  return { ...plain, fromFile };
}

function nullable<Value>(inner: Kind<Value>): Kind<Value | null> {
  return {
    ...inner,
    expected: `${inner.expected}, or null`,
    fromFile: (raw) => (raw === null ? { value: null } : inner.fromFile(raw)),
    show: (value) => (value === null ? "null" : inner.show(value)),
  };
}

function read<Raw, Value>(
  raw: Raw,
  problem: string,
  reader: (raw: Raw) => Value | undefined,
): Reading<Value> {
  const value = reader(raw);
  return value === undefined ? { problem } : { value };
}

function wholeNumber(raw: unknown, most: number): number | undefined {
  return typeof raw === "number" && Number.isInteger(raw) && raw >= 0 && raw <= most ? raw : undefined;
}

function durationOf(raw: unknown): number | undefined {
  if (typeof raw !== "string" && typeof raw !== "number") return undefined;
  const ms = unlessRefused(() => parseDuration("duration", String(raw)));
  return ms instanceof BlackboardError ? undefined : ms;
}

function timerOf(raw: unknown): number | undefined {
  return timerMs(durationOf(raw));
}

function timerMs(ms: unknown): number | undefined {
  return typeof ms === "number" && ms >= 1 && ms <= MAX_TIMER_MS ? Math.round(ms) : undefined;
}

function ttlOfSeconds(raw: unknown): number | null | undefined {
  const seconds = raw === null ? 0 : wholeNumber(raw, MAX_TTL_SECONDS);
  return seconds === 0 ? null : seconds === undefined ? undefined : seconds * 1000;
}

function ttlOfText(text: string): number | null | undefined {
  return /^0+(\.0+)?(ms|s|m|h|d)?$/.test(text) ? null : durationOf(text);
}

function isName(text: string): boolean {
  const refused = unlessRefused(() => checkNewName("name", text)) instanceof BlackboardError;
  return !refused && Buffer.byteLength(text) <= MAX_NAME_BYTES;
}

function urlOf(raw: unknown): Reading<string> {
  if (typeof raw !== "string") return { problem: `must be text: ${redisUrl.expected}` };
  const address = unlessRefused(() => parseRedisUrl(raw));
  if (!(address instanceof BlackboardError)) return { value: raw };
  const problem = `cannot be used: ${address.message}`;
  return address.hint === undefined ? { problem } : { problem, hint: address.hint };
}

function pathOf(names: PathText["names"], raw: unknown): PathText | null | undefined {
  if (raw === null && names === "file") return null;
  return typeof raw === "string" && raw !== "" && !raw.includes("\0") ? { names, text: raw } : undefined;
}

function unlessRefused<Value>(attempt: () => Value): Value | BlackboardError {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof BlackboardError) return error;
    throw error;
  }
}

function orList(names: readonly string[]): string {
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}
