/** Colour, when a person looks. Loaded only then: without colour chalk costs nothing. */

export interface Style {
  readonly head: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly error: (text: string) => string;
}

const same = (text: string) => text;
export const PLAIN: Style = { head: same, dim: same, warning: same, error: same };

export type ColorMode = "auto" | "always" | "never";

/** `--color` decides; else `NO_COLOR` (any text) forbids and `FORCE_COLOR` (not 0) asks; else a terminal has colour. */
export function wantsColor(
  mode: ColorMode,
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  if (mode !== "auto") return mode === "always";
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
  return isTerminal && env.TERM !== "dumb";
}

export async function loadStyle(color: boolean): Promise<Style> {
  if (!color) return PLAIN;
  const { Chalk } = await import("chalk");
  const chalk = new Chalk({ level: 1 });
  return { head: chalk.bold, dim: chalk.dim, warning: chalk.yellow, error: chalk.red };
}
