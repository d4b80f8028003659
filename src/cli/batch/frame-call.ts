/** One call for a shell function: answered to the byte as the command itself would, or left to it. */
import { isAbsolute } from "node:path";
import type { Blackboard } from "../../blackboard.ts";
import { Later } from "../../core/later.ts";
import { hasColor, makeReporter } from "../call-form.ts";
import type { Context, Input } from "../command.ts";
import { EXITS } from "../exit.ts";
import { writeOutcome } from "../output.ts";
import { type Call, parseCall } from "../program.ts";
import type { Reporter } from "../report.ts";
import type { Sink } from "../sink.ts";
import { loadStyle } from "../style.ts";
import { ofTheWhole } from "./calls.ts";
import { PartContext } from "./context.ts";
import type { Answer, Request } from "./frames.ts";
import type { Keeper } from "./keeper.ts";
import { endsAll } from "./replies.ts";

/** Nothing was done, and the program itself is to be run for this call. */
class NeedsProgram extends Error {}

/** More output than that goes through the program itself: a shell takes it more quickly from there. 64 KiB. */
const MOST_BYTES = 65_536;

type RunCall = Extract<Call, { kind: "run" }>;

/** What all calls have in common. */
export interface Place {
  readonly context: Context;
  readonly env: ReturnType<Context["wholeEnvironment"]>;
  readonly keeper: Keeper;
}

/** @returns `null` if the program itself is to be run; nothing was done then */
export async function answerCall(request: Request, place: Place): Promise<Answer | null> {
  const { words, terminals, columns } = request;
  const out = new Text(terminals.includes("1"), columns);
  const err = new Text(terminals.includes("2"), columns);
  const reporter = makeReporter(words, err, place.env);
  let exit: number;
  try {
    const call = await parseCall(words, columns);
    if (!isPart(call)) return null;
    exit = await run(call, out, new FrameContext(place, reporter, call, terminals));
  } catch (error) {
    if (error instanceof NeedsProgram) return null;
    if (endsAll(error)) place.keeper.doubt();
    exit = reporter.error(error);
  } finally {
    await place.keeper.rest();
  }
  await reporter.flushed();
  return { exit, out: out.bytes, err: err.bytes };
}

/** What asks, follows, waits, or wants another board, is left to the program. */
function isPart(call: Call): call is RunCall {
  if (call.kind !== "run" || ofTheWhole(call.globals) !== undefined) return false;
  return call.command.takesCommand === undefined && !call.command.waits?.(call.given);
}

async function run({ command, given, globals }: RunCall, out: Sink, context: FrameContext): Promise<number> {
  for (const warning of context.loaded.warnings) context.notice(warning);
  const color = hasColor(globals, context.env, out);
  const outcome = await command.run(context, given);
  const form = { json: context.json, style: await loadStyle(color) };
  await writeOutcome(outcome, out, form, () => context.halt());
  const exit = typeof outcome.exit === "function" ? outcome.exit() : outcome.exit;
  return typeof exit === "number" ? exit : EXITS[exit ?? "done"].code;
}

/** Output on its way to the caller. What makes that much has read, and can be done again. */
class Text implements Sink {
  readonly isTerminal: boolean;
  readonly columns: number;
  bytes = Buffer.alloc(0);

  constructor(isTerminal: boolean, columns: number) {
    this.isTerminal = isTerminal;
    this.columns = columns;
  }

  async write(text: string | Uint8Array): Promise<void> {
    this.bytes = Buffer.concat([this.bytes, Buffer.from(text)]);
    if (this.bytes.length > MOST_BYTES || this.bytes.includes(0)) throw new NeedsProgram();
  }
}

/** Whatever only a process of the caller's own has – its input, directory, environment, signals – ends the attempt before anything is done. */
class FrameContext extends PartContext {
  readonly json: boolean;
  readonly canAsk: boolean;
  readonly isOutputClosed = false;
  readonly input: Input = {
    isTerminal: false,
    all: async () => this.refuse(),
    chunks: () => this.refuse(),
    file: (path) => (isAbsolute(path) ? this.whole.input.file(path) : this.refuse()),
  };
  readonly env: Place["env"];
  readonly #keeper: Keeper;
  readonly #reporter: Reporter;
  readonly #end = new Later(() => new AbortController());

  constructor(place: Place, reporter: Reporter, { globals }: RunCall, terminals: string) {
    super(place.context);
    this.env = place.env;
    this.#keeper = place.keeper;
    this.#reporter = reporter;
    this.json = globals.json === true;
    this.canAsk = terminals.includes("0");
  }

  get signal(): AbortSignal {
    return this.#end.it.signal;
  }

  halt(): void {
    this.#end.it.abort();
  }

  board(): Promise<Blackboard> {
    return this.#keeper.board((notice) => this.notice(notice));
  }

  notice(text: string): void {
    this.#reporter.notice(text);
  }

  /** What must not be cut off by a signal has a process of its own to be sent one. */
  endsItself(): never {
    return this.refuse();
  }

  environment(): never {
    return this.refuse();
  }

  protected refuse(): never {
    throw new NeedsProgram();
  }
}
