/** Child processes of the tests: exact bytes in and out, killed at a deadline, counted so that none is left behind. */
import { type ChildProcess, spawn } from "node:child_process";

/** How a process ended and what it wrote. */
export interface Ended {
  /** Exact bytes, never trimmed. */
  readonly stdout: Buffer;
  readonly stderr: string;
  /** `null` if a signal killed it. */
  readonly exitCode: number | null;
  /** The signal that killed it, if one did. */
  readonly signal: NodeJS.Signals | null;
}

export interface Started {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Resolves when it has ended and its output is read. Rejects if it had to be killed at the deadline. */
  readonly ended: Promise<Ended>;
  /** What it has written so far. */
  stdout(): Buffer;
  stderr(): string;
}

export interface StartOptions {
  /** The whole environment; nothing of ours is added. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Bytes for stdin; `"open"`: a pipe that is never written to nor closed. Default: nothing (`/dev/null`). */
  readonly input?: Uint8Array | "open";
  /** Killed then, and `ended` rejects. Default 20 s. */
  readonly timeoutMs?: number;
}

const running = new Set<ChildProcess>();

/** The children that still run, by id. */
export function runningProcesses(): number[] {
  return [...running].map(({ pid }) => pid ?? 0);
}

/** Ends what a failed test left running. */
export function killProcesses(): void {
  for (const child of running) child.kill("SIGKILL");
}

export function start(file: string, args: readonly string[], options: StartOptions): Started {
  const child = spawn(file, args, {
    env: { ...options.env },
    cwd: options.cwd,
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  running.add(child);
  if (options.input !== "open") child.stdin?.end(options.input);
  child.stdin?.on("error", () => {}); // it need not read its input
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => err.push(chunk));
  const stdout = () => Buffer.concat(out);
  const stderr = () => Buffer.concat(err).toString("utf8");
  const ended = endOf(child, options.timeoutMs ?? 20_000, stdout, stderr);
  ended.catch(() => {}); // whoever awaits it is told
  return { process: child, pid: child.pid ?? 0, ended, stdout, stderr };
}

function endOf(
  child: ChildProcess,
  timeoutMs: number,
  stdout: () => Buffer,
  stderr: () => string,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    child.once("error", (error) => {
      clearTimeout(timer);
      running.delete(child);
      reject(error);
    });
    child.once("close", (exitCode, signal) => {
      clearTimeout(timer);
      running.delete(child);
      child.stdin?.destroy();
      if (late)
        reject(new Error(`still running after ${timeoutMs} ms: ${child.spawnargs.join(" ")}\n${stderr()}`));
      else resolve({ stdout: stdout(), stderr: stderr(), exitCode, signal });
    });
  });
}
