/** What SQLite's and the file system's errors mean to a user of the board: the one place that maps them. */
import { BlackboardError, codeOf, reasonOf } from "../../core/errors.ts";

/** Primary result codes of https://sqlite.org/rescode.html; both drivers carry the extended ones in `errcode`. */
const CODE = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  protocol: 15,
  tooBig: 18,
  notADatabase: 26,
} as const;
/** The file was moved or deleted while it was open. */
const READ_ONLY_MOVED = 1032;

const WRONG_PLACE = new Set([
  "EACCES",
  "EPERM",
  "EROFS",
  "ENOENT", // nothing can be made there, as in /proc
  "ENOTDIR",
  "EEXIST", // mkdir, where a file is
  "EISDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "EINVAL",
]);
export const PLACE_HINT =
  "set blackboard.memory.path or $TIMMY_BB_DATA_DIR to a directory that can be written";

/** Whether another connection was in the way. */
export function isBusy(thrown: unknown): boolean {
  const code = primaryCode(thrown);
  return code === CODE.busy || code === CODE.locked || code === CODE.protocol;
}

/** Whether only another process's lock is in the way: the same may succeed later. */
export function isLocked(error: unknown): error is BlackboardError {
  return error instanceof BlackboardError && isBusy(error.cause);
}

/** The error to throw instead of what a statement threw. What is not SQLite's passes unchanged. */
export function fromSqlite(cause: unknown, path: string, timeoutMs: number): unknown {
  const code = primaryCode(cause);
  if (code === null || cause instanceof BlackboardError) return cause;
  if (isBusy(cause)) {
    const message = `the board file ${path} is locked by another process for over ${timeoutMs / 1000}s`;
    return unavailable(message, "find the process that holds it, or raise --timeout", cause);
  }
  if (errcodeOf(cause) === READ_ONLY_MOVED) return replacedFile(path);
  return fromCode(code, cause, path);
}

function fromCode(code: number, cause: unknown, path: string): BlackboardError {
  switch (code) {
    case CODE.notADatabase:
      return unavailable(`${path} is not a board file, or is damaged`, moveAway(path), cause);
    case CODE.corrupt:
      return unavailable(`the board file ${path} is damaged`, moveAway(path), cause);
    case CODE.full:
      return unavailable(`the disk of the board file ${path} is full`, "free some space", cause);
    case CODE.ioError:
      return unavailable(
        `the board file ${path} cannot be read or written (${reasonOf(cause)})`,
        PLACE_HINT,
        cause,
      );
    case CODE.cannotOpen:
      return unavailable(`the board file ${path} cannot be opened`, PLACE_HINT, cause);
    case CODE.readOnly:
      return new BlackboardError("config", `the board file ${path} cannot be written`, {
        hint: PLACE_HINT,
        cause,
      });
    case CODE.tooBig:
      return new BlackboardError("usage", "the value is too large for the memory store", { cause });
    default:
      return new BlackboardError("internal", `SQLite refused a statement (${reasonOf(cause)})`, { cause });
  }
}

/** The board's path leads to another file than the one that is open, or to none: what is open is a ghost. */
export function replacedFile(path: string): BlackboardError {
  return unavailable(`the board file ${path} was replaced or deleted while it was in use`, "start again");
}

/** The error to throw instead of what a file system call threw. */
export function fromFileSystem(cause: unknown, doing: string): BlackboardError {
  const code = codeOf(cause);
  const kind = code !== undefined && WRONG_PLACE.has(code) ? "config" : "unavailable";
  const hint = kind === "config" ? PLACE_HINT : undefined;
  return new BlackboardError(kind, `cannot ${doing} (${code ?? reasonOf(cause)})`, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

function unavailable(message: string, hint: string, cause?: unknown): BlackboardError {
  return new BlackboardError("unavailable", message, { hint, cause });
}

function moveAway(path: string): string {
  return `move it away (mv ${path} ${path}.damaged); a new one is made`;
}

function primaryCode(thrown: unknown): number | null {
  const errcode = errcodeOf(thrown);
  return errcode === null ? null : errcode & 0xff;
}

function errcodeOf(thrown: unknown): number | null {
  if (thrown instanceof Error && "errcode" in thrown && typeof thrown.errcode === "number")
    return thrown.errcode;
  return null;
}
