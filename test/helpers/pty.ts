/** The command on a real terminal: util-linux `script` gives it one. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Ended, type Started, start } from "./processes.ts";
import { until } from "./until.ts";
import type { Workplace } from "./workplace.ts";

export class Terminal {
  readonly #started: Started;

  /** Runs a shell command on a terminal 200 columns wide. */
  constructor(place: Workplace, command: string, env: Readonly<Record<string, string>> = {}) {
    const script = findScript();
    this.#started = start(script, ["-qec", `stty cols 200; ${command}`, "/dev/null"], {
      env: { ...place.shellEnv(), TERM: "xterm", ...env },
      cwd: place.dir,
      input: "open",
      timeoutMs: 25_000,
    });
  }

  /** All it has shown. */
  get screen(): string {
    return this.#started.stdout().toString("utf8");
  }

  /** Types keys, once something is on the screen. */
  async type(keys: string, after: string): Promise<void> {
    await until(`"${after}" on the terminal, which shows ${JSON.stringify(this.screen)}`, () =>
      this.screen.includes(after),
    );
    this.#started.process.stdin?.write(keys);
  }

  async end(): Promise<{ readonly exit: number | null; readonly screen: string }> {
    const ended: Ended = await this.#started.ended;
    return { exit: ended.exitCode, screen: ended.stdout.toString("utf8").replaceAll("\r\n", "\n") };
  }
}

/** What a command shows on a terminal, its line ends as the program wrote them. */
export function onTerminal(place: Workplace, command: string, env: Readonly<Record<string, string>> = {}) {
  return new Terminal(place, command, env).end();
}

function findScript(): string {
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(directory, "script");
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this one
    }
  }
  throw new Error("The terminal tests need `script` of util-linux on the PATH (Debian: bsdutils).");
}
