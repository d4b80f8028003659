/** The real command as a child process: `bin/timmy-bb.js`, or the executable that `TEST_PROGRAM` names. */
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeName, isTextName } from "../../src/core/names.ts";
import { type Ended, type Started, type StartOptions, start } from "./processes.ts";
import { tempDir } from "./temp.ts";

/** The repository's root, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const BIN = `${ROOT}bin/timmy-bb.js`;

/** The standalone executable, if that is what is tested. */
export const EXECUTABLE = process.env.TEST_PROGRAM ? resolve(process.env.TEST_PROGRAM) : null;
/** What the shell finds as `timmy-bb`. */
export const PROGRAM = EXECUTABLE ?? BIN;

/** V8's helping threads cost a short call more than they help it (measured: 14 % of its time on the processors). */
const NO_HELPERS = "--v8-pool-size=0";
/** The words that start it. */
export const COMMAND: readonly string[] =
  EXECUTABLE === null ? [process.execPath, NO_HELPERS, BIN] : [EXECUTABLE];

/** Compiled code is kept in one place for all tests: the first call of each kind makes it. */
export const CODE: Readonly<Record<string, string>> = { XDG_CACHE_HOME: process.env.TEST_CACHE ?? "" };

export type CliOptions = Omit<StartOptions, "env"> & {
  /** Beside `PATH`, `HOME` (the working directory) and `XDG_CACHE_HOME`, and nothing of this machine. */
  readonly env?: Readonly<Record<string, string>>;
};

/** Runs the command to its end. */
export function runCli(args: readonly string[], options: CliOptions): Promise<Ended> {
  return startCli(args, options).ended;
}

/** Starts the command. Words may hold bytes that are not UTF-8, in the sense of `core/names.ts`. */
export function startCli(args: readonly string[], options: CliOptions): Started {
  const env = { PATH: process.env.PATH ?? "", HOME: options.cwd, ...CODE, ...options.env };
  const words = [...COMMAND, ...args];
  if (args.every(isTextName)) return start(words[0] ?? "", words.slice(1), { ...options, env });
  // Node passes UTF-8 only, so a shell makes the words.
  return start("/bin/sh", ["-c", `exec ${words.map(shellWord).join(" ")}`], { ...options, env });
}

/** The environment in which this code runs inside the program, before the program's own. */
export function insideProgram(code: string): Readonly<Record<string, string>> {
  const file = join(tempDir("inside"), "code.mjs");
  writeFileSync(file, code);
  return EXECUTABLE === null ? { NODE_OPTIONS: `--import=${file}` } : { BUN_OPTIONS: `--preload=${file}` };
}

/** One word of a shell command, each byte in octal. */
function shellWord(word: string): string {
  const octal = [...encodeName(word)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`);
  return `"$(printf '${octal.join("")}')"`;
}
