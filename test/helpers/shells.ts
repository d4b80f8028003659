/** The shells that have a function of ours, and scripts that begin with it. */
import { getProgram } from "./get-program.ts";
import { type Started, start } from "./processes.ts";
import { type CallOptions, type Said, said, type Workplace } from "./workplace.ts";

export type Shell = "bash" | "zsh";
export const SHELLS: readonly Shell[] = ["bash", "zsh"];

/** Makes sure that both are there. */
export async function getShells(): Promise<void> {
  for (const shell of SHELLS) {
    const sentence = `The tests of the shell function need ${shell} on the PATH.`;
    await getProgram({ names: [shell], debianPackage: shell, sentence });
  }
}

/** What a script begins with. */
export function init(shell: Shell): string {
  return `eval "$(timmy-bb shell-init ${shell})"\n`;
}

/** Starts a script as it is; the person's own start-up files are not read. */
export function startScript(
  place: Workplace,
  shell: Shell,
  script: string,
  options: CallOptions = {},
): Started {
  const words = shell === "bash" ? ["--norc", "-c", script] : ["-f", "-c", script];
  const env = { ...place.shellEnv(), ...options.env };
  return start(shell, words, { ...options, cwd: place.dir, env });
}

/** Runs a script over the function. */
export async function runOver(
  place: Workplace,
  shell: Shell,
  script: string,
  options: CallOptions = {},
): Promise<Said> {
  return said(await startScript(place, shell, init(shell) + script, options).ended);
}
