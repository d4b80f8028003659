import { usageError } from "../../core/errors.ts";
import { parseRedisUrl } from "../../core/redis-url.ts";
import { programWords } from "../../runtime.ts";
import { OF_THE_WHOLE } from "../batch/calls.ts";
import type { Command } from "../command.ts";
import type { Given } from "../given.ts";

export const shellInit: Command = {
  name: "shell-init",
  summary: "print code that makes a loop in a shell pay no start-up",
  promise:
    "Prints code for bash (4.4 or later) or zsh (5.8 or later), to be evaluated at the beginning of a script or in the shell's own start-up file. It defines a function timmy-bb with " +
    "the outputs and exit codes of the command, which has one long-lived process do the work and is many times faster. What cannot go that way – what reads standard input, follows, waits or asks – is run by the command itself. " +
    "Options that say what the board is (--prefix, --url and the like) are those of every call of the function. " +
    "The process ends with the shell. See docs/scripting.md.",
  args: [{ usage: "[shell]", about: "bash or zsh" }],
  options: [],
  examples: [
    {
      about: "at the beginning of a script",
      shell: 'eval "$(timmy-bb shell-init bash)"',
    },
  ],
  async run({ loaded }, given) {
    const name = given.optionalArg("shell");
    const codeFor = await loaderOf(name)();
    const code = codeFor([...programWords(), ...boardOptions(given, loaded.file)]);
    return { rows: [{ cells: [code], json: { shell: name, code }, end: "" }], raw: true };
  },
};

/** @throws BlackboardError `usage` for a password, which would stand in the code and in the list of processes */
function boardOptions(given: Given, configFile: string | null): string[] {
  const url = given.text("url");
  if (url !== undefined && parseRedisUrl(url).password !== null)
    throw usageError("the password of --url would stand in the code", "set TIMMY_BB_REDIS_PASSWORD instead");
  return OF_THE_WHOLE.flatMap((name) => {
    const value = name === "config" && given.text(name) !== undefined ? configFile : given.text(name);
    return typeof value === "string" ? [`--${name}`, value] : [];
  });
}

type CodeFor = (program: readonly string[]) => string;

/** @throws BlackboardError `usage` */
function loaderOf(shell: string | undefined): () => Promise<CodeFor> {
  if (shell === "bash") return async () => (await import("../shell/bash.ts")).bashCode;
  if (shell === "zsh") return async () => (await import("../shell/zsh.ts")).zshCode;
  throw usageError("say for which shell: bash or zsh", 'eval "$(timmy-bb shell-init bash)"');
}
