/** The real command, `bin/timmy-bb.js`, as a child process. */
import { fileURLToPath } from "node:url";
import { encodeName, isTextName } from "../../src/core/names.ts";
import { type Ended, type Started, type StartOptions, start } from "./processes.ts";

/** The repository's root, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const BIN = `${ROOT}bin/timmy-bb.js`;

/** V8's helping threads cost a short call more than they help it (measured: 14 % of its time on the processors). */
const NO_HELPERS = "--v8-pool-size=0";

export type CliOptions = Omit<StartOptions, "env"> & {
  /** Beside `PATH` and `HOME` (the working directory), and nothing of this machine. */
  readonly env?: Readonly<Record<string, string>>;
};

/** Runs the command to its end. */
export function runCli(args: readonly string[], options: CliOptions): Promise<Ended> {
  return startCli(args, options).ended;
}

/** Starts the command. Words may hold bytes that are not UTF-8, in the sense of `core/names.ts`. */
export function startCli(args: readonly string[], options: CliOptions): Started {
  const env = { PATH: process.env.PATH ?? "", HOME: options.cwd, ...options.env };
  const words = [process.execPath, NO_HELPERS, BIN, ...args];
  if (args.every(isTextName)) return start(words[0] ?? "", words.slice(1), { ...options, env });
  // Node passes UTF-8 only, so a shell makes the words.
  return start("/bin/sh", ["-c", `exec ${words.map(shellWord).join(" ")}`], { ...options, env });
}

/** One word of a shell command, each byte in octal. */
function shellWord(word: string): string {
  const octal = [...encodeName(word)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`);
  return `"$(printf '${octal.join("")}')"`;
}
