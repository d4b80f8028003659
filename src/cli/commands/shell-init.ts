import { usageError } from "../../core/errors.ts";
import { programWords } from "../../runtime.ts";
import type { Command } from "../command.ts";

export const shellInit: Command = {
  name: "shell-init",
  summary: "print code that makes a loop in a shell pay no start-up",
  promise:
    "Prints code for bash (4.4 or later) or zsh (5.8 or later), to be evaluated at the beginning of a script or in the shell's own start-up file. It defines a function timmy-bb with " +
    "the outputs and exit codes of the command, which has one long-lived process do the work and is many times faster. What cannot go that way – what reads standard input, follows, waits or asks – is run by the command itself. " +
    "The process ends with the shell. See docs/scripting.md.",
  args: [{ usage: "[shell]", about: "bash or zsh" }],
  options: [],
  examples: [
    {
      about: "at the beginning of a script",
      shell: 'eval "$(timmy-bb shell-init bash)"',
    },
  ],
  async run(_context, given) {
    const name = given.optionalArg("shell");
    const codeFor = await loaderOf(name)();
    const code = codeFor(programWords());
    return { rows: [{ cells: [code], json: { shell: name, code }, end: "" }], raw: true };
  },
};

type CodeFor = (program: readonly string[]) => string;

/** @throws BlackboardError `usage` */
function loaderOf(shell: string | undefined): () => Promise<CodeFor> {
  if (shell === "bash") return async () => (await import("../shell/bash.ts")).bashCode;
  if (shell === "zsh") return async () => (await import("../shell/zsh.ts")).zshCode;
  throw usageError("say for which shell: bash or zsh", 'eval "$(timmy-bb shell-init bash)"');
}
