/** Writes an outcome: plain lines, a table on a terminal, or JSON lines. */
import { collect } from "../core/collect.ts";
import { encodeName } from "../core/names.ts";
import type { Cell, Outcome, Row } from "./command.ts";
import { RecordStream } from "./record-stream.ts";
import { ReaderGone, type Sink } from "./sink.ts";
import type { Style } from "./style.ts";
import { escapeAll, escapeControls, escapeJson } from "./terminal.ts";

/** Rows of an array are joined up to this many bytes before a write. */
const BLOCK_BYTES = 65_536;

export interface OutputForm {
  readonly json: boolean;
  readonly style: Style;
}

/** @param halt tells the maker of the rows to end, because nobody takes them any more */
export async function writeOutcome(
  outcome: Outcome,
  out: Sink,
  form: OutputForm,
  halt: () => void,
): Promise<void> {
  if (outcome.speak !== undefined) return outcome.speak(out);
  const rows = outcome.rows ?? [];
  const isTable = outcome.heads !== undefined && out.isTerminal && !form.json;
  if (isTable) {
    const all = Symbol.asyncIterator in rows ? (await collect(rows)).flat() : rows;
    return writeTable(outcome.heads ?? [], all, out, form.style);
  }
  const isEscaped = out.isTerminal && !outcome.raw;
  const bytesOf: BytesOf = (some) => (form.json ? jsonLines(some) : plainLines(some, isEscaped));
  if (!(Symbol.asyncIterator in rows)) return writeBlocks(rows, bytesOf, out);
  const isFatal = (error: Error) => !(outcome.mustEnd && error instanceof ReaderGone);
  const stream = new RecordStream(out, (error) => isFatal(error) && halt());
  try {
    for await (const item of rows) {
      const isFull = "cells" in item ? stream.add(bytesOf([item]), item.written) : stream.add(bytesOf(item));
      if (isFull) await stream.drained();
      if (stream.failure !== null && isFatal(stream.failure)) break;
    }
  } finally {
    await stream.drained(); // what was made before the rows failed goes out, too
  }
  if (stream.failure !== null && isFatal(stream.failure)) throw stream.failure;
}

type BytesOf = (rows: readonly Row[]) => Buffer;

async function writeBlocks(rows: readonly Row[], bytesOf: BytesOf, out: Sink): Promise<void> {
  let block: Buffer[] = [];
  let size = 0;
  for (const row of rows) {
    const bytes = bytesOf([row]);
    block.push(bytes);
    size += bytes.length;
    if (size < BLOCK_BYTES) continue;
    await out.write(Buffer.concat(block));
    block = [];
    size = 0;
  }
  if (size > 0) await out.write(Buffer.concat(block));
}

function jsonLines(rows: readonly Row[]): Buffer {
  return Buffer.from(rows.map((row) => `${escapeJson(JSON.stringify(row.json))}\n`).join(""));
}

/** What is text is put together as such: all of it becomes bytes at once. */
function plainLines(rows: readonly Row[], isEscaped: boolean): Buffer {
  const parts: Uint8Array[] = [];
  let text = "";
  for (const { cells, end = "\n" } of rows) {
    for (const [index, cell] of cells.entries()) {
      if (index > 0) text += "\t";
      if (isEscaped) text += escapeControls(textOf(cell));
      else if (typeof cell === "string") text += cell;
      else {
        parts.push(encodeName(text), cell);
        text = "";
      }
    }
    text += end;
  }
  return parts.length === 0 ? encodeName(text) : Buffer.concat([...parts, encodeName(text)]);
}

function bytesOf(cell: Cell): Uint8Array {
  return typeof cell === "string" ? encodeName(cell) : cell;
}

function textOf(cell: Cell): string {
  return Buffer.from(bytesOf(cell)).toString("utf8");
}

/** Aligned columns without frames, as `ls -l` has them; the content is that of the plain form. */
async function writeTable(
  heads: readonly string[],
  rows: readonly Row[],
  out: Sink,
  style: Style,
): Promise<void> {
  if (rows.length === 0) return;
  const { default: Table } = await import("cli-table3");
  const table = new Table({
    head: heads.map((head) => style.head(head)),
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 2 },
    chars: noFrame(),
  });
  for (const row of rows) table.push(row.cells.map((cell) => escapeAll(textOf(cell))));
  const lines = table.toString().split("\n");
  await out.write(`${lines.map((line) => line.trimEnd()).join("\n")}\n`);
}

function noFrame(): Record<string, string> {
  const parts = [
    "top",
    "top-mid",
    "top-left",
    "top-right",
    "bottom",
    "bottom-mid",
    "bottom-left",
    "bottom-right",
  ].concat(["left", "left-mid", "mid", "mid-mid", "right", "right-mid", "middle"]);
  return Object.fromEntries(parts.map((part) => [part, ""]));
}
