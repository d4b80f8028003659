/** The beginning of a file that may be missing, unreadable, endless, or not a file. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { codeOf } from "../core/errors.ts";

/** What was read: the whole file, if it is shorter than asked for. */
export interface Head {
  readonly bytes: Buffer;
}

/** Nothing was read. `reason` is for people; `null`: there is no such file. */
export interface Absence {
  readonly reason: string | null;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a directory",
  ELOOP: "too many symbolic links",
  ENAMETOOLONG: "the name is too long",
};
const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);

/**
 * @param limit bytes to read at most
 * @param what `any`: a pipe too, as in `--config <(…)`; `regular`: anything else is taken for absent, without
 * waiting for somebody to write into it
 */
export function readHead(file: string, limit: number, what: "any" | "regular"): Head | Absence {
  try {
    // Most often there is none, and an error takes long to be made.
    if (statSync(file, { throwIfNoEntry: false }) === undefined) return { reason: null };
    const flags = what === "regular" ? constants.O_RDONLY | constants.O_NONBLOCK : constants.O_RDONLY;
    const descriptor = openSync(file, flags);
    try {
      const skipped = what === "regular" && !fstatSync(descriptor).isFile();
      return skipped ? { reason: null } : { bytes: readUpTo(descriptor, limit) };
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return { reason: ABSENT.has(code) ? null : (REASONS[code] ?? code) };
  }
}

function readUpTo(descriptor: number, limit: number): Buffer {
  const parts: Buffer[] = [];
  let left = limit;
  while (left > 0) {
    const part = Buffer.alloc(Math.min(left, 65_536));
    const length = readSync(descriptor, part);
    if (length === 0) break;
    parts.push(part.subarray(0, length));
    left -= length;
  }
  return Buffer.concat(parts);
}
