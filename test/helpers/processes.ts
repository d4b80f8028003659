/** Child processes of the tests: exact bytes in and out, killed at a deadline, counted so that none is left behind. */
import type { ChildProcess } from "node:child_process";
import { execa } from "execa";

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
  /** Killed then, and `ended` rejects. Default 40 s: a deadline only says that something hangs. */
  readonly timeoutMs?: number;
}

const running = new Set<Child>();

/** The children that still run, by id. */
export function runningProcesses(): number[] {
  return [...running].map(({ pid }) => pid ?? 0);
}

/** Ends what a failed test left running. */
export function killProcesses(): void {
  for (const child of running) child.kill("SIGKILL");
}

export function start(file: string, args: readonly string[], options: StartOptions): Started {
  const child = launch(file, args, options);
  running.add(child);
  const stdout = collected(child.stdout);
  const errors = collected(child.stderr);
  const stderr = () => errors().toString("utf8");
  const ended = endOf(child, stdout, stderr);
  ended.catch(() => {}); // whoever awaits it is told
  return { process: child, pid: child.pid ?? 0, ended, stdout, stderr };
}

type Child = ReturnType<typeof launch>;

function launch(
  file: string,
  args: readonly string[],
  { env, cwd, input, timeoutMs = 40_000 }: StartOptions,
) {
  const bytes = input === undefined || input === "open" ? {} : { input };
  return execa(file, args, {
    env,
    extendEnv: false,
    cwd,
    ...bytes,
    stdin: input === undefined ? "ignore" : "pipe",
    encoding: "buffer",
    buffer: false, // collected by the caller, who may look before the end
    reject: false, // an exit code is an answer
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
}

/** All that a stream has given so far, each time it is asked: gathered as it comes, for those who ask again and again. */
function collected(stream: NodeJS.ReadableStream): () => Buffer {
  let room = Buffer.alloc(4096);
  let length = 0;
  stream.on("data", (chunk: Uint8Array) => {
    if (length + chunk.length > room.length) {
      room = Buffer.concat([room.subarray(0, length)], 2 * (length + chunk.length));
    }
    room.set(chunk, length);
    length += chunk.length;
  });
  return () => room.subarray(0, length);
}

async function endOf(child: Child, stdout: () => Buffer, stderr: () => string): Promise<Ended> {
  const {
    exitCode = null,
    signal = null,
    timedOut,
    cause,
  } = await child.finally(() => running.delete(child));
  if (timedOut) throw new Error(`still running at its deadline: ${child.spawnargs.join(" ")}\n${stderr()}`);
  if (exitCode === null && signal === null) throw cause;
  return { stdout: stdout(), stderr: stderr(), exitCode, signal };
}
