/** A directory of a test's own, the command in it, and a board that nobody else uses. */
import { mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Blackboard, OpenOptions } from "../../src/index.ts";
import { type CliOptions, CODE, COMMAND, PROGRAM, startCli } from "./cli.ts";
import { library } from "./library.ts";
import { type Ended, type Started, start } from "./processes.ts";
import type { RedisServer } from "./redis-server.ts";
import { tempDir } from "./temp.ts";

/** How a command ended, in a form to compare as a whole. */
export interface Said {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

export type CallOptions = Omit<CliOptions, "cwd">;

/** Two cores and much else going on: a deadline only says that something hangs. */
const DEADLINE_MS = 40_000;
let count = 0;

export class Workplace {
  /** The working directory and `HOME`. */
  readonly dir = tempDir("work");
  readonly env: Readonly<Record<string, string>>;

  private constructor(env: Readonly<Record<string, string>>) {
    this.env = env;
  }

  /** On the board file below its directory. */
  static memory(env: Readonly<Record<string, string>> = {}): Workplace {
    return new Workplace({ TIMMY_BB_BACKEND: "memory", ...env });
  }

  /** On a server, under a prefix of its own. */
  static redis(server: RedisServer, env: Readonly<Record<string, string>> = {}): Workplace {
    const prefix = `work${++count}`;
    return new Workplace({
      TIMMY_BB_BACKEND: "redis",
      TIMMY_BB_URL: server.url,
      TIMMY_BB_PREFIX: prefix,
      ...env,
    });
  }

  /** With nothing set but what is given. */
  static bare(env: Readonly<Record<string, string>> = {}): Workplace {
    return new Workplace(env);
  }

  get prefix(): string {
    return this.env.TIMMY_BB_PREFIX ?? "timmy";
  }

  /** Where the board file is, if there is one. */
  get boardFile(): string {
    return join(this.env.TIMMY_BB_DATA_DIR ?? join(this.dir, ".local/state/timmy-bb"), "board.db");
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  start(args: readonly string[], options: CallOptions = {}): Started {
    const env = { ...this.env, ...options.env };
    return startCli(args, { timeoutMs: DEADLINE_MS, ...options, cwd: this.dir, env });
  }

  ended(args: readonly string[], options: CallOptions = {}): Promise<Ended> {
    return this.start(args, options).ended;
  }

  async run(args: readonly string[], options: CallOptions = {}): Promise<Said> {
    return said(await this.ended(args, options));
  }

  /** What a successful call printed; an error if it failed or said anything. */
  async ask(...args: readonly string[]): Promise<string> {
    const { exit, out, err } = await this.run(args);
    if (exit === 0 && err === "") return out;
    throw new Error(`timmy-bb ${args.join(" ")} exited ${exit}: ${err}`);
  }

  /** Runs a script with `timmy-bb` on the PATH. */
  async bash(script: string, options: CallOptions = {}): Promise<Said> {
    return said(await this.startBash(script, options).ended);
  }

  startBash(script: string, options: CallOptions = {}): Started {
    const env = { ...this.shellEnv(), ...options.env };
    return start("bash", ["-c", script], { timeoutMs: DEADLINE_MS, ...options, cwd: this.dir, env });
  }

  /** The same board through the library. Whoever opens it closes it. */
  openBoard(options: OpenOptions = {}): Promise<Blackboard> {
    const url = this.env.TIMMY_BB_URL;
    return library.openBlackboard({
      backend: this.env.TIMMY_BB_BACKEND === "redis" ? "redis" : "memory",
      prefix: this.prefix,
      dataDir: dirname(this.boardFile),
      ...(url === undefined ? {} : { url }),
      ...options,
    });
  }

  /** What a shell needs that shall find the command. */
  shellEnv(): Record<string, string> {
    const path = [binDirectory(), dirname(process.execPath), process.env.PATH ?? ""].join(":");
    return { PATH: path, HOME: this.dir, SHELL: "/bin/sh", LC_ALL: "C.UTF-8", ...CODE, ...this.env };
  }
}

export function said({ exitCode, stdout, stderr }: Ended): Said {
  return { exit: exitCode, out: stdout.toString("utf8"), err: stderr };
}

/** A successful, silent end with this output. */
export function done(out = ""): Said {
  return { exit: 0, out, err: "" };
}

let bin: string | null = null;

/** A directory with nothing but `timmy-bb` in it. */
function binDirectory(): string {
  if (bin !== null) return bin;
  bin = tempDir("bin");
  mkdirSync(bin, { recursive: true });
  symlinkSync(PROGRAM, join(bin, "timmy-bb"));
  return bin;
}

/** Runs the command with nothing of ours in its environment. */
export function runBare(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const [program = "", ...words] = [...COMMAND, ...args];
  return start(program, words, { env, cwd, timeoutMs: DEADLINE_MS }).ended;
}
