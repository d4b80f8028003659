/** What is followed: as tests of the log's streams and entries, and as the text other processes read in its row. */
import { compileGlob, literalPrefix, type Matcher } from "../../core/glob.ts";
import { encodeName } from "../../core/names.ts";
import { readSelection as readText } from "../../core/selection.ts";
import type { AnySelection, KeySelection } from "../../core/types.ts";
import { bytesIn, damaged, type Row } from "./cells.ts";
import { isOfKeys } from "./log.ts";

/** A selection as it meets the log. */
export interface Choice {
  /** Of keys, not of channels. */
  readonly isOfKeys: boolean;
  /** Whether this board's stream of this channel is read; patterns match what holds the changes of keys, too. */
  readonly hasStream: (channel: Uint8Array, board: string) => boolean;
  /** Whether an entry of such a stream is wanted: a message always, a change by the `name` in its row. */
  readonly hasEntry: (row: Row) => boolean;
}

export function compileSelection(selection: AnySelection): Choice {
  const { patterns } = selection;
  if ("keys" in selection) {
    const selects = compile(selection.keys, patterns);
    const mayWrite = compileBoards(selection);
    const hasStream = (channel: Uint8Array, board: string) => isOfKeys(channel) && mayWrite(board);
    return { isOfKeys: true, hasStream, hasEntry: (row) => selects(bytesIn(row, "name")) };
  }
  const selects = compile(selection.channels, patterns);
  const hasStream = (channel: Uint8Array) => !isOfKeys(channel) && selects(channel);
  return { isOfKeys: false, hasStream, hasEntry: () => true };
}

/** @throws BlackboardError `unavailable` if the text is not what `writeSelection` makes */
export function readSelection(text: string): AnySelection {
  return readText(text) ?? damaged("selection");
}

/** Tells whether the bytes of a name are selected. */
function compile(names: readonly string[], patterns: readonly string[]): Matcher {
  const exact = new Set(names.map((name) => keyOf(encodeName(name))));
  const globs = patterns.map(compileGlob);
  return (name) => exact.has(keyOf(name)) || globs.some((matches) => matches(name));
}

/** Tells whether a board can have a selected key: all of its keys begin with its prefix. */
function compileBoards({ keys, patterns }: KeySelection): (board: string) => boolean {
  const names = keys.map(encodeName);
  const heads = patterns.map(literalPrefix);
  return (board) => {
    if (board === "") return true;
    const prefix = encodeName(`${board}:`);
    const canFollow = (head: Buffer) => beginsWith(head, prefix) || beginsWith(prefix, head);
    return names.some((name) => beginsWith(name, prefix)) || heads.some(canFollow);
  };
}

function beginsWith(name: Buffer, head: Buffer): boolean {
  return name.subarray(0, head.length).equals(head);
}

/** One character a byte: equal exactly if the bytes are. */
export function keyOf(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("latin1");
}
