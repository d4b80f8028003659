/** What a follower listens to: as a test of channel names, and as the text other processes read in its row. */
import { BlackboardError } from "../../core/errors.ts";
import { compileGlob, type Matcher } from "../../core/glob.ts";
import { encodeName } from "../../core/names.ts";
import type { Selection } from "../../core/types.ts";

/** Tells whether the bytes of a channel's name are selected. */
export function compileSelection(selection: Selection): Matcher {
  const exact = new Set(selection.channels.map((channel) => keyOf(encodeName(channel))));
  const patterns = selection.patterns.map(compileGlob);
  return (name) => exact.has(keyOf(name)) || patterns.some((matches) => matches(name));
}

/** Lone surrogates of names that are not UTF-8 come through JSON as they are. */
export function writeSelection({ channels, patterns }: Selection): string {
  return JSON.stringify({ channels, patterns });
}

/** @throws BlackboardError `unavailable` if the text is not what `writeSelection` makes */
export function readSelection(text: string): Selection {
  const selection: unknown = JSON.parse(text);
  if (
    typeof selection === "object" &&
    selection !== null &&
    "channels" in selection &&
    "patterns" in selection
  ) {
    const { channels, patterns } = selection;
    if (isNames(channels) && isNames(patterns)) return { channels, patterns };
  }
  throw new BlackboardError(
    "unavailable",
    "the board file is damaged: a follower's selection cannot be read",
  );
}

function isNames(names: unknown): names is readonly string[] {
  return Array.isArray(names) && names.every((name) => typeof name === "string");
}

/** One character a byte: equal exactly if the bytes are. */
function keyOf(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("latin1");
}
