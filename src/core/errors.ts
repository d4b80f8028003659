/**
 * What went wrong, in kinds. The command line maps kinds to exit codes in one place (`src/cli/exit.ts`);
 * a program catches `BlackboardError` and looks at `kind`.
 */

/**
 * - `usage` – the call itself is wrong: a bad name, value, duration or option.
 * - `config` – a setting is wrong, the config file cannot be read, or the board is disabled.
 * - `timeout` – what was waited for did not happen in time.
 * - `unavailable` – the store cannot be used now; nothing was changed.
 * - `unknown` – the request was sent and no answer came: it may or may not have happened.
 * - `conflict` – refused: a condition, a wrong type, an overflow, a limit.
 * - `internal` – a fault of timmy-bb itself.
 */
export type ErrorKind = "usage" | "config" | "timeout" | "unavailable" | "unknown" | "conflict" | "internal";

/** Every error timmy-bb throws. Messages never hold a value, a payload or a password. */
export class BlackboardError extends Error {
  override readonly name = "BlackboardError";
  readonly kind: ErrorKind;
  /** The way out, one sentence, if there is one. */
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.hint = options.hint;
  }
}

/** A call that is wrong in itself. */
export function usageError(message: string, hint?: string): BlackboardError {
  return new BlackboardError("usage", message, hint === undefined ? {} : { hint });
}

/** The text of anything thrown, for a message that names a cause. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The system's error code (`ENOENT`, `ECONNREFUSED`, …) of anything thrown, if it carries one. */
export function codeOf(thrown: unknown): string | undefined {
  if (thrown instanceof Error && "code" in thrown && typeof thrown.code === "string") return thrown.code;
  return undefined;
}
