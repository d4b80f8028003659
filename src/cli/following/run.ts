/** From what was asked for to what comes of it: records, or commands that are run. Alike for messages and changes. */
import type { Entry } from "../../core/types.ts";
import type { Context, Outcome, Row } from "../command.ts";
import { isStopSignal } from "../exit.ts";
import { boundedAfter } from "./bounded.ts";
import { type Feed, type OpenFeed, WithGaps } from "./feed.ts";
import { handleAll } from "./handle.ts";
import { type CommandWanted, checkSeen, type Wanted } from "./options.ts";
import { Acks, LAST_MS, printed } from "./print.ts";
import { describeGap, describeState } from "./telling.ts";
import { Term } from "./term.ts";
import type { Words } from "./words.ts";

/** What is followed. */
export interface Source {
  readonly words: Words;
  readonly open: OpenFeed;
  /** Given only what `open` brings. */
  rowOf(entry: Entry): Row;
}

/** @throws BlackboardError */
export async function run(context: Context, wanted: Wanted, source: Source): Promise<Outcome> {
  const { words } = source;
  if (context.isOutputClosed) checkSeen(wanted);
  const term = new Term(context.signal, wanted.waitMs);
  term.begin();
  const board = await context.board();
  const gaps = new WithGaps();
  const inPlace = context.json && wanted.command === null;
  const opened = await source.open(board, wanted, {
    signal: term.signal,
    onState: (state) => context.notice(describeState(state, words)),
    onGap: (gap) => (inPlace ? gaps.tell({ gap }) : context.notice(describeGap(gap))),
  });
  const feed = boundedAfter(term.signal, context.loaded.settings.timeoutMs, opened, words);
  if (wanted.command !== null)
    return { exit: await runCommands({ ...wanted, command: wanted.command }, words, feed, context, term) };
  const acks = wanted.consumer === null ? null : ackedBy(feed, context);
  const next = () => (inPlace ? gaps.next(feed) : feed.next());
  const rowOf = (entry: Entry) => source.rowOf(entry);
  return { rows: printed({ feed, next, limit: wanted.limit, rowOf, acks }, term) };
}

function ackedBy(feed: Feed, context: Context): Acks {
  context.endsItself(LAST_MS + context.loaded.settings.timeoutMs);
  return new Acks(feed, context.signal);
}

async function runCommands(
  { consumer, limit, command }: Wanted & { readonly command: CommandWanted },
  words: Words,
  feed: Feed,
  context: Context,
  term: Term,
): Promise<number> {
  const { Handler, STOP_GRACE_MS } = await import("../handler.ts"); // it costs those who only print some milliseconds
  const handler = new Handler(command.words, context.environment(), command.timeoutMs);
  const { signal } = context; // its reason: the signal that told us to stop, if one did
  signal.addEventListener("abort", () =>
    handler.stop(isStopSignal(signal.reason) ? signal.reason : "SIGTERM"),
  );
  context.endsItself(STOP_GRACE_MS + 2 * context.loaded.settings.timeoutMs);
  const notice = (text: string) => context.notice(text);
  const { parallel, onBusy } = command;
  const retries = consumer?.retries ?? null;
  return handleAll({ feed, handler, retries, stop: signal, notice, limit, parallel, onBusy, words }, term);
}
