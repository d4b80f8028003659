/** Starting commands: their words as they are, never through a shell. The only place that starts processes. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import { codeOf, reasonOf } from "../core/errors.ts";
import { isTextName } from "../core/names.ts";
import { CannotRun } from "./exit.ts";
import { oneLine } from "./terminal.ts";

/** How a command ended. */
export interface Ended {
  /** As a shell has it: 128 and the signal's number if one killed it; 124 after a timeout. */
  readonly status: number;
  /** What killed it. */
  readonly signal: NodeJS.Signals | null;
  /** `null` if all is well; else `exited 3`, `killed by SIGKILL`, `timed out after 5s`. */
  readonly reason: string | null;
}

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
}

/** @throws CannotRun if it cannot be started */
export async function startCommand(words: readonly string[], options: SpawnOptions): Promise<Running> {
  try {
    const child = spawnWords(words, options);
    if (child.pid === undefined) throw await errorOf(child);
    return { child, pid: child.pid };
  } catch (error) {
    throw cannotRun(words, error);
  }
}

/** Its name, for notices. */
export function commandName(words: readonly string[]): string {
  return oneLine(words[0] ?? "");
}

/** When it has ended itself; what it started may go on. */
export function endOf({ child }: Running): Promise<Ended> {
  return new Promise((resolve) => child.once("exit", (code, signal) => resolve(endedAs(code, signal))));
}

function spawnWords(words: readonly string[], options: SpawnOptions): ChildProcess {
  const [file = "", ...others] = words;
  if (words.every(isTextName)) return spawn(file, others, options);
  throw new Error("its words are not UTF-8, which Node cannot pass on");
}

/** Why it was not started. */
function errorOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once("error", resolve));
}

function cannotRun(words: readonly string[], error: unknown): CannotRun {
  const code = codeOf(error);
  const name = commandName(words);
  if (code === "ENOENT" || words[0] === "") {
    const hint = words.length === 1 && /\s/.test(name) ? { hint: `for a shell's words: sh -c '…'` } : {};
    return new CannotRun(127, `cannot run ${name}: there is no such command`, { cause: error, ...hint });
  }
  const reason = code === "EACCES" ? "it is not executable" : (code ?? reasonOf(error));
  return new CannotRun(126, `cannot run ${name}: ${reason}`, { cause: error });
}

function endedAs(code: number | null, signal: NodeJS.Signals | null): Ended {
  if (signal !== null)
    return { status: 128 + constants.signals[signal], signal, reason: `killed by ${signal}` };
  return { status: code ?? 0, signal, reason: code === 0 ? null : `exited ${code}` };
}
