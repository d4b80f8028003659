/**
 * What a command is. It states its name, promise, arguments, options and examples, and has a `run` that returns an
 * outcome; it never prints, exits or reads the environment by itself.
 */
import type { Blackboard } from "../blackboard.ts";
import type { LoadedSettings } from "../config/index.ts";
import type { ExitName } from "./exit.ts";
import type { Given } from "./given.ts";
import type { Sink } from "./sink.ts";

export interface Command {
  readonly name: string;
  /** One line for the list of commands: what it does, no full stop. */
  readonly summary: string;
  /** The whole promise: what is printed, when it exits how. Plain sentences, wrapped by the help. */
  readonly promise: string;
  readonly args: readonly Argument[];
  readonly options: readonly Option[];
  /** What stands behind `--` is a command to run with its arguments, which may be missing or not; else `--` ends the options. */
  readonly takesCommand?: "perhaps" | "always";
  /**
   * So many calls of it may be under way at once in a batch, for it asks the board once, as soon as it has it, for what is one step, and does
   * nothing else before. Default, as for 1: it waits for all before it, and those behind wait for it.
   */
  readonly atOnce?: number | ((given: Given) => number);
  /** Whether a call goes on until it is stopped, or may wait for what others do: it needs a process of its own. Default: none does. */
  readonly waits?: (given: Given) => boolean;
  /** Shown in help and docs, and run by a test in this order. */
  readonly examples: readonly Example[];
  run(context: Context, given: Given): Promise<Outcome>;
}

export interface Argument {
  /** As commander writes it: `<key>`, `[value]`, `<keys...>`. */
  readonly usage: string;
  readonly about: string;
}

export interface Option {
  /** As commander writes it: `--ttl <duration>`, `-f, --follow`. */
  readonly flags: string;
  readonly about: string;
}

export interface Example {
  readonly about: string;
  readonly shell: string;
  /** What it prints on stdout, to the byte; checked if given. */
  readonly prints?: string;
}

/** What a command may use. */
export interface Context {
  /** Opens the board, once. */
  board(): Promise<Blackboard>;
  /** The same for who asks it before anything else happens, if it is there and it is this call's turn; else `null`: `board` is to be asked. */
  boardNow?(): Blackboard | null;
  /** The settings and where each came from. */
  readonly loaded: LoadedSettings;
  readonly input: Input;
  /** Aborted when the process is told to stop (the reason is the signal's name), when nobody reads the output, and at the end of the call. */
  readonly signal: AbortSignal;
  /**
   * From now on a stop signal only aborts `signal`: there is work to bring to an end, and the program waits for the outcome,
   * at most so many milliseconds. A second signal ends it at once.
   */
  endsItself(withinMs: number): void;
  /** From now on signals go there, each of them, and do nothing else. What is returned ends that. */
  passSignals(pass: (signal: NodeJS.Signals) => void): () => void;
  /** At its very end the program ends by this signal, as whoever started it may want to know. */
  endBy(signal: NodeJS.Signals): void;
  /** The process that started this one; another's number when that one has ended. */
  readonly parentPid: number;
  /** What commands that are run here get: the process's environment, and the flags as variables, without passwords. */
  environment(): Readonly<Record<string, string>>;
  /** The same with passwords: for the user's own command, which is run in our place. */
  wholeEnvironment(): Readonly<Record<string, string | undefined>>;
  /** One line on stderr, unless `--quiet`. */
  notice(text: string): void;
  /** Whether output goes out as JSON; for the rare command whose two forms differ in shape. */
  readonly json: boolean;
  /** Whether stdout is closed, so that nobody sees what is printed. */
  readonly isOutputClosed: boolean;
  /** Whether a person can be asked. */
  readonly canAsk: boolean;
  /** Asks on the terminal. */
  confirm(question: string): Promise<boolean>;
}

/** Standard input and files. */
export interface Input {
  /** All of standard input. @throws BlackboardError `usage` if it is closed */
  all(): Promise<Buffer>;
  /** Standard input as it comes. @throws BlackboardError `usage` if it is closed */
  chunks(): AsyncIterable<Buffer>;
  /** A file's bytes. @throws BlackboardError `usage` naming the file and the reason */
  file(path: string): Promise<Buffer>;
  readonly isTerminal: boolean;
}

/** A name or text, or bytes that go out as they are. */
export type Cell = string | Uint8Array;

/** One record of output, in both forms. */
export interface Row {
  /** Plain form: cells are joined by TAB. */
  readonly cells: readonly Cell[];
  /** `--json` form: one object a line. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Plain form: what ends the record. Default: a line break. */
  readonly end?: "\n" | "\0" | "";
  /** Told, for a record of an async iterable, whether it went out. */
  readonly written?: (isOut: boolean) => void;
}

export interface Outcome {
  /** A number: the status of a command that was run. A function: asked when the rows are out, on which it depends. */
  readonly exit?: ExitName | number | (() => ExitName);
  /** An array is written in blocks; of an async iterable, each (or several, if they come so) as soon as it comes, together with those that are there by then. */
  readonly rows?: readonly Row[] | AsyncIterable<Row | readonly Row[]>;
  /** Given: on a terminal the rows are shown as a table under these heads, all at once. */
  readonly heads?: readonly string[];
  /** Making the rows is the work itself: it goes on when nobody reads them any more. */
  readonly mustEnd?: boolean;
  /** Cells go to a terminal as they are, control characters included. */
  readonly raw?: boolean;
  /** Instead of rows, for a command whose output is half of a conversation: holds it. */
  readonly speak?: (out: Sink) => Promise<void>;
}
