/** Options and inputs that several commands share. */
import { usageError } from "../core/errors.ts";
import { encodeName, isTextName } from "../core/names.ts";
import type { TtlMs } from "../core/types.ts";
import type { Input, Option } from "./command.ts";
import type { Given } from "./given.ts";

/** `--file` and what no VALUE means. */
export const FILE_OPTION: Option = { flags: "--file <file>", about: "take the bytes of this file" };

/**
 * The bytes of a value or message: the argument's UTF-8, or a file's, or – with `-` or nothing – those of standard
 * input, exactly.
 */
export async function readBytes(
  what: string,
  argument: string | undefined,
  given: Given,
  input: Input,
): Promise<Uint8Array> {
  const value = await readValue(what, argument, given, input);
  return typeof value === "string" ? encodeName(value) : value;
}

/** The same, at once where it is there, and as text where it is that: what it is given to would have to copy bytes. */
export function readValue(
  what: string,
  argument: string | undefined,
  given: Given,
  input: Input,
): string | Uint8Array | Promise<Uint8Array> {
  const file = given.text("file");
  if (file !== undefined) {
    if (argument !== undefined) throw usageError(`give a ${what} or --file, not both`);
    return input.file(file);
  }
  if (argument !== undefined && argument !== "-")
    return isTextName(argument) ? argument : encodeName(argument);
  if (argument === undefined && input.isTerminal) {
    throw usageError(`no ${what} given`, `give one, or --file, or pipe it in; - reads what you type`);
  }
  return input.all();
}

export const TTL_OPTIONS: readonly Option[] = [
  {
    flags: "--ttl <duration>",
    about: "expire after this: 90s, 5m, 1h30m, 2d; default: ttl_seconds of the config",
  },
  { flags: "--no-ttl", about: "never expire" },
  { flags: "--keep-ttl", about: "leave the time to live as it is" },
];

/** What the TTL options say; `undefined`: nothing, so the configured default holds. */
export function ttlOf(given: Given): TtlMs | undefined {
  if (given.flag("keepTtl")) {
    if (given.duration("ttl") !== undefined || given.negated("ttl")) {
      throw usageError("--keep-ttl cannot go together with --ttl or --no-ttl");
    }
    return "keep";
  }
  return given.negated("ttl") ? null : given.duration("ttl");
}

/** Milliseconds of `--wait`; 0, in whatever unit, is to look once. */
export function waitMsOf(given: Given): number | undefined {
  return /^0+(ms|s|m|h|d)?$/.test(given.text("wait") ?? "") ? 0 : given.duration("wait");
}
