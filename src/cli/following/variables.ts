/** What a command learns of its message, or change, beside what is on its standard input. */
import { isChange } from "../../core/entry.ts";
import { encodeName } from "../../core/names.ts";
import type { Taken } from "./feed.ts";

/** `undefined`: nothing, not even what was inherited. */
export function variablesOf({ entry, attempt }: Taken): Record<string, string | undefined> {
  const { id, by, at } = entry;
  const change = isChange(entry) ? entry : null;
  const message = isChange(entry) ? null : entry;
  return {
    TIMMY_BB_CHANNEL: asVariable(message?.channel),
    TIMMY_BB_FAILURE_REASON: asVariable(message?.failure?.reason),
    TIMMY_BB_EVENT: change?.event,
    TIMMY_BB_KEY: asVariable(change?.key),
    TIMMY_BB_INITIAL: change?.isInitial ? "1" : undefined,
    TIMMY_BB_SIZE: change === null ? undefined : String(change.size ?? ""),
    TIMMY_BB_ID: id ?? "",
    TIMMY_BB_BY: asVariable(by ?? ""),
    TIMMY_BB_AT: String(at),
    TIMMY_BB_ATTEMPT: attempt === null ? undefined : String(attempt),
  };
}

/** No variable can hold NUL, and Node passes UTF-8 only; foreign clients' names may have either. */
function asVariable(text: string | undefined): string | undefined {
  return text === undefined ? undefined : encodeName(text).toString("utf8").replaceAll("\0", "\ufffd");
}
