/** A selection as both stores keep it, for other processes to read: one line of JSON. */
import type { AnySelection } from "./types.ts";

/**
 * The same keys are the same text, in whatever order they were given. Lone surrogates of names that are not UTF-8 come through JSON as
 * they are.
 */
export function writeSelection(selection: AnySelection): string {
  if ("channels" in selection) {
    const { channels, patterns } = selection;
    return JSON.stringify({ channels, patterns });
  }
  return JSON.stringify({ keys: inOrder(selection.keys), patterns: inOrder(selection.patterns) });
}

function inOrder(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

/** `null` for anything that `writeSelection` cannot have made. More than the selection may stand in the text. */
export function readSelection(text: string): AnySelection | null {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || !("patterns" in value)) return null;
  const { patterns } = value;
  if (!isNames(patterns)) return null;
  if ("keys" in value && isNames(value.keys)) return { keys: value.keys, patterns };
  if ("channels" in value && isNames(value.channels)) return { channels: value.channels, patterns };
  return null;
}

function isNames(names: unknown): names is readonly string[] {
  return Array.isArray(names) && names.every((name) => typeof name === "string");
}
