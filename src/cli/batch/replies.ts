/** What a batch says of each command: one JSON object a line. */
import { BlackboardError, reasonOf, usageError } from "../../core/errors.ts";
import type { Outcome, Row } from "../command.ts";
import { EXITS } from "../exit.ts";
import { errorJson } from "../report.ts";
import { escapeJson } from "../terminal.ts";

export interface Reply {
  /** One line. */
  readonly text: string;
  /** Characters of what the board said. */
  readonly size: number;
  /** To be told whether it went out, before anything else happens. */
  readonly written: ((isOut: boolean) => Promise<void>) | null;
}

/** More than that is no reply to keep in memory. 256 Mi characters. */
const MOST_CHARACTERS = 256 * 1024 * 1024;

export function errorReply(thrown: unknown): Reply {
  const error = errorJson(thrown);
  return { text: line(JSON.stringify({ exit: error.exit, error })), size: 0, written: null };
}

/** What is not begun any more, because of that. Nothing was changed, also where that left it unknown. */
export function notBegun(because: unknown): BlackboardError {
  const isKnown = because instanceof BlackboardError;
  const message = `not begun: ${isKnown ? because.message : reasonOf(because)}`;
  if (!isKnown) return new BlackboardError("internal", message, { cause: because });
  if (because.kind === "unknown") return new BlackboardError("unavailable", message, { cause: because }); // its hint is that it may have happened
  const hint = because.hint === undefined ? {} : { hint: because.hint };
  return new BlackboardError(because.kind, message, { cause: because, ...hint });
}

type Rows = AsyncIterable<Row | readonly Row[]>;

/** At once where that is possible: there may be a hundred thousand a second. */
export function outcomeReply({ exit, rows = [] }: Outcome): Reply | Promise<Reply> {
  return Symbol.asyncIterator in rows ? collectedReply(exit, rows) : replyOf(exit, rows, null);
}

async function collectedReply(exit: Outcome["exit"], rows: Rows): Promise<Reply> {
  const iterator = rows[Symbol.asyncIterator]();
  const all = await collectRows(iterator);
  const told = all.at(-1)?.written;
  if (told === undefined) return replyOf(exit, all, null);
  return replyOf(exit, all, async (isOut) => {
    told(isOut);
    await iterator.next(); // what is still to be done now that it is known
  });
}

/** A row that wants to be told whether it went out is the last before that. */
async function collectRows(rows: AsyncIterator<Row | readonly Row[]>): Promise<Row[]> {
  const all: Row[] = [];
  for (let size = 0; size <= MOST_CHARACTERS; ) {
    const step = await rows.next();
    if (step.done) return all;
    for (const row of "cells" in step.value ? [step.value] : step.value) {
      all.push(row);
      if (row.written !== undefined) return all;
      size += rowText(row).length;
    }
  }
  throw usageError("the reply is too long for a batch", "run it by itself");
}

function replyOf(exit: Outcome["exit"], rows: readonly Row[], written: Reply["written"]): Reply {
  const text = line(`{"exit":${codeOf(exit)},"rows":[${rows.map(rowText).join(",")}]}`);
  return { text, size: text.length, written };
}

function codeOf(exit: Outcome["exit"]): number {
  if (typeof exit === "number") return exit;
  return EXITS[(typeof exit === "function" ? exit() : exit) ?? "done"].code;
}

function rowText(row: Row): string {
  return JSON.stringify(row.json);
}

function line(json: string): string {
  return `${escapeJson(json)}\n`;
}

/** Whether what follows could not succeed either, or could not be trusted to. */
export function endsAll(thrown: unknown): boolean {
  return !(thrown instanceof BlackboardError) || !["usage", "conflict", "timeout"].includes(thrown.kind);
}
