/** `start(words)` → exit code: parses, runs, writes, and maps errors to exits. */
import type { Blackboard } from "./blackboard.ts";
import { hasColor, makeReporter } from "./cli/call-form.ts";
import type { Context } from "./cli/command.ts";
import { EXIT_OF_SIGNAL, EXITS, type ExitName, type StopSignal } from "./cli/exit.ts";
import { type Io, processIo } from "./cli/io.ts";
import { writeOutcome } from "./cli/output.ts";
import { sayingWhenWaiting } from "./cli/patience.ts";
import { type Call, type Globals, parseCall } from "./cli/program.ts";
import type { Reporter } from "./cli/report.ts";
import { ReaderGone } from "./cli/sink.ts";
import { loadStyle } from "./cli/style.ts";
import {
  flagOverrides,
  flagVariables,
  type LoadedSettings,
  loadSettings,
  type Surroundings,
} from "./config/index.ts";
import { Ending } from "./core/ending.ts";
import { BlackboardError } from "./core/errors.ts";
import { commandWords, surroundings, withoutPasswords } from "./host.ts";
import { openWith } from "./open.ts";

declare const TIMMY_BB_VERSION: string;

let called = "";

/** The command that ran last, and the store: bin/timmy-bb.js keeps what V8 has compiled for each kind of call. */
export function lastCall(): string {
  return called;
}

/** @param words as Node has them, without its own. @returns the exit code, when all is written */
export function start(words: readonly string[]): Promise<number> {
  return main(commandWords(words), processIo(), surroundings());
}

async function main(argv: readonly string[], io: Io, around: Surroundings): Promise<number> {
  const reporter = makeReporter(argv, io.stderr, around.env);
  let exit: ExitName | number;
  try {
    exit = await answer(await parseCall(argv, io.stdout.columns), io, around, reporter);
  } catch (error) {
    exit = error instanceof ReaderGone ? "done" : reporter.error(error);
  }
  await reporter.flushed();
  return typeof exit === "number" ? exit : EXITS[exit].code;
}

async function answer(
  call: Call,
  io: Io,
  around: Surroundings,
  reporter: Reporter,
): Promise<ExitName | number> {
  switch (call.kind) {
    case "version":
      await io.stdout.write(`${TIMMY_BB_VERSION}\n`);
      return "done";
    case "help":
      await io.stdout.write(call.text);
      return "done";
    case "run":
      return run(call, io, around, reporter);
  }
}

async function run(
  call: Extract<Call, { kind: "run" }>,
  io: Io,
  around: Surroundings,
  reporter: Reporter,
): Promise<ExitName | number> {
  const loaded = await loadSettings(flagOverrides(call.globals), textOf(call.globals, "config"), around);
  for (const warning of loaded.warnings) reporter.notice(warning);
  called = `${call.command.name} ${loaded.settings.backend}`;
  const json = call.globals.json === true;
  const environment = () => ({ ...around.env, ...flagVariables(call.globals) });
  const session = new Session(loaded, json, io, reporter, environment);
  const color = hasColor(call.globals, around.env, io.stdout);
  const work = async (): Promise<ExitName | number> => {
    const outcome = await call.command.run(session, call.given);
    const form = { json, style: await loadStyle(color) };
    await writeOutcome(outcome, io.stdout, form, () => session.halt());
    const exit = typeof outcome.exit === "function" ? outcome.exit() : outcome.exit;
    return session.stoppedBy ?? exit ?? "done";
  };
  try {
    return await Promise.race([work(), session.stopped]);
  } catch (error) {
    if (session.stoppedBy === null) throw error;
    if (error instanceof BlackboardError) reporter.notice(error.message); // what did not end as it should
    return session.stoppedBy;
  } finally {
    await session.end();
  }
}

/** What one call has at hand, and lets go of at its end. */
class Session implements Context {
  readonly loaded: LoadedSettings;
  readonly input: Context["input"];
  readonly json: boolean;
  /** Resolves with the exit when a signal has told the process to stop and nothing is to be brought to an end any more. */
  readonly stopped: Promise<ExitName>;
  /** The exit of the signal that has told the process to stop. */
  stoppedBy: ExitName | null = null;
  readonly #io: Io;
  readonly #reporter: Reporter;
  readonly #environment: Context["wholeEnvironment"];
  readonly #ending = new Ending();
  /** How long the command may take to end itself after a signal. */
  #endingMs = 0;
  /** Who gets the stop signals instead. */
  #pass: ((signal: NodeJS.Signals) => void) | null = null;
  #hasEnded = false;
  #opening: Promise<Blackboard> | null = null;
  #board: Blackboard | null = null;

  constructor(
    loaded: LoadedSettings,
    json: boolean,
    io: Io,
    reporter: Reporter,
    environment: Context["wholeEnvironment"],
  ) {
    this.loaded = loaded;
    this.json = json;
    this.input = sayingWhenWaiting(io.input, loaded.settings.timeoutMs, (text) => this.notice(text));
    this.#io = io;
    this.#reporter = reporter;
    this.#environment = environment;
    this.stopped = new Promise((resolve) => io.onStop((signal) => this.#stop(signal, resolve)));
  }

  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  endsItself(withinMs: number): void {
    this.#endingMs = withinMs;
  }

  passSignals(pass: (signal: NodeJS.Signals) => void): () => void {
    this.#pass = pass;
    const leaveOthers = this.#io.onOther(pass);
    return () => {
      leaveOthers();
      this.#pass = null;
    };
  }

  endBy(signal: NodeJS.Signals): void {
    this.#io.endBy(signal);
  }

  get parentPid(): number {
    return this.#io.parentPid;
  }

  environment(): Readonly<Record<string, string>> {
    return withoutPasswords(this.#environment());
  }

  wholeEnvironment(): Readonly<Record<string, string | undefined>> {
    return this.#environment();
  }

  /** Whoever makes the output shall end. */
  halt(): void {
    this.#ending.end();
  }

  board(): Promise<Blackboard> {
    this.#opening ??= openWith(this.loaded, (notice) => this.notice(notice)).then((board) => {
      this.#board = board;
      return board;
    });
    return this.#opening;
  }

  notice(text: string): void {
    this.#reporter.notice(text);
  }

  get isOutputClosed(): boolean {
    return this.#io.isOutputClosed;
  }

  get canAsk(): boolean {
    return this.#io.canAsk;
  }

  confirm(question: string): Promise<boolean> {
    return this.#io.confirm(question);
  }

  /** False: it is the second one, or only output is still waited for, which nobody may ever read: nothing is waited for any more. */
  #stop(signal: StopSignal, resolve: (exit: ExitName) => void): boolean {
    if (this.#pass !== null) {
      this.#pass(signal);
      return true;
    }
    if (this.stoppedBy !== null || this.#hasEnded) return false;
    const exit = EXIT_OF_SIGNAL[signal];
    this.stoppedBy = exit;
    this.#ending.end(signal);
    if (this.#endingMs > 0) setTimeout(() => resolve(exit), this.#endingMs);
    else resolve(exit);
    return true;
  }

  /** A board that is still being opened is not waited for: whoever stops the program wants it to stop. */
  async end(): Promise<void> {
    this.#ending.end();
    this.#hasEnded = true;
    await this.#board?.close();
  }
}

function textOf(globals: Globals, name: string): string | null {
  const value = globals[name];
  return typeof value === "string" ? value : null;
}
