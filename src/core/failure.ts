/** A message's `Failure` as both stores keep it: one line of JSON. */
import type { Failure } from "./types.ts";

export function writeFailure({ channel, id, by, consumer, attempts, reason }: Failure): string {
  return JSON.stringify({ channel, id, by, consumer, attempts, reason });
}

/** `null` for anything that timmy-bb cannot have written. */
export function readFailure(text: string): Failure | null {
  const { channel, id, by, consumer, attempts, reason } = parse(text);
  if (typeof channel !== "string" || typeof id !== "string" || typeof by !== "string") return null;
  if (typeof consumer !== "string" || typeof attempts !== "number" || typeof reason !== "string") return null;
  return { channel, id, by, consumer, attempts, reason };
}

function parse(text: string): { readonly [Field in keyof Failure]?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {}; // anybody can publish anything; what is no failure of ours says nothing
  }
}
