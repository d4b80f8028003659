/** What goes to stderr: notices and errors, for people or as JSON. Never a value, never a password. */
import { BlackboardError, reasonOf } from "../core/errors.ts";
import { CannotRun, EXIT_OF_KIND, EXITS } from "./exit.ts";
import type { Sink } from "./sink.ts";
import { PLAIN, type Style } from "./style.ts";
import { escapeControls, escapeJson } from "./terminal.ts";

export interface ReportForm {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly debug: boolean;
  /** Loaded when there is something to say. */
  readonly style: () => Promise<Style>;
}

export class Reporter {
  readonly #err: Sink;
  readonly #form: ReportForm;
  /** Writes in order, and lets `main` wait for the last. */
  #written: Promise<void> = Promise.resolve();

  constructor(err: Sink, form: ReportForm) {
    this.#err = err;
    this.#form = form;
  }

  notice(text: string): void {
    if (this.#form.quiet) return;
    if (this.#form.json) this.#write(() => escapeJson(JSON.stringify({ notice: text })));
    else this.#write(({ warning }) => `${warning("timmy-bb:")} ${escapeControls(text)}`);
  }

  /** Tells an error and returns the exit code it leads to. */
  error(thrown: unknown): number {
    const error = errorJson(thrown);
    const { message, hint, exit } = error;
    if (this.#form.json) this.#write(() => escapeJson(JSON.stringify({ error })));
    else {
      this.#write((style) => `${style.error("timmy-bb:")} ${escapeControls(message)}`);
      if (hint !== null) this.#write(({ dim }) => `${dim("hint:")} ${escapeControls(hint)}`);
    }
    if (this.#form.debug) this.#write(() => stackOf(thrown));
    return exit;
  }

  /** Resolves when all is out; a closed stderr is nobody's concern. */
  async flushed(): Promise<void> {
    await this.#written;
  }

  #write(line: (style: Style) => string): void {
    const write = async () => this.#err.write(`${line(await this.#style())}\n`);
    this.#written = this.#written.then(write).catch(() => {});
  }

  /** Whatever keeps the colours from being loaded – the package may be exchanged right now –, what is to be said is said without. */
  async #style(): Promise<Style> {
    try {
      return this.#form.json ? PLAIN : await this.#form.style();
    } catch {
      return PLAIN;
    }
  }
}

/** An error as programs get it. */
export function errorJson(thrown: unknown) {
  const error = thrown instanceof BlackboardError ? thrown : faultOf(thrown);
  const exit = error instanceof CannotRun ? error.status : EXITS[EXIT_OF_KIND[error.kind]].code;
  const { kind, message, hint = null } = error;
  return { kind, message, hint, exit };
}

function faultOf(thrown: unknown): BlackboardError {
  return new BlackboardError("internal", `a fault of timmy-bb: ${reasonOf(thrown)}`, {
    hint: "--debug shows where; please report it",
    cause: thrown,
  });
}

function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause === undefined ? "" : `\ncaused by: ${stackOf(thrown.cause)}`;
  return escapeControls(`${thrown.stack ?? thrown.message}${cause}`);
}
