/** A message's `Failure` as both stores keep it: one line of JSON. */
import type { ChangeEvent, Entry, Failure } from "./types.ts";

export function writeFailure({ channel, key, event, ...rest }: Failure): string {
  return JSON.stringify(key === null ? { channel, ...rest } : { key, event, ...rest });
}

/** The failure of an entry that a consumer gave up after so many attempts. */
export function failureOf(entry: Entry, why: Pick<Failure, "consumer" | "attempts" | "reason">): Failure {
  const { id, by } = entry;
  const what =
    "key" in entry
      ? { channel: null, key: entry.key, event: entry.event }
      : { channel: entry.channel, key: null, event: null };
  return { ...what, id: id ?? "", by, ...why };
}

/** `null` for anything that timmy-bb cannot have written. */
export function readFailure(text: string): Failure | null {
  const { channel = null, key = null, event = null, id, by, consumer, attempts, reason } = parse(text);
  if (!isName(channel) || !isName(key) || (channel === null) === (key === null)) return null;
  if (key === null ? event !== null : !isEvent(event)) return null;
  if (typeof id !== "string" || !isName(by) || typeof consumer !== "string") return null;
  if (typeof attempts !== "number" || typeof reason !== "string") return null;
  return { channel, key, event, id, by, consumer, attempts, reason } as Failure;
}

function isName(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}

function isEvent(value: unknown): value is ChangeEvent {
  return value === "set" || value === "del" || value === "expired";
}

function parse(text: string): { readonly [Field in keyof Failure]?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {}; // anybody can publish anything; what is no failure of ours says nothing
  }
}
