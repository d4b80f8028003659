/**
 * Runs a command for each message: its words as they are, never through a shell; the payload on its standard input; its output is
 * ours. The only place that starts processes. Each command leads a process group, so that what ends it ends what it started, too.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { setAlarm } from "../core/alarm.ts";
import { formatDuration } from "../core/duration.ts";
import { codeOf, reasonOf } from "../core/errors.ts";
import { isTextName } from "../core/names.ts";
import { CannotRun } from "./exit.ts";
import { payloadFile } from "./payload-file.ts";
import { oneLine } from "./terminal.ts";

/** Between the polite signal and KILL, in milliseconds: after `--exec-timeout`, and when we are told to stop. */
const TIMEOUT_GRACE_MS = 5000;
export const STOP_GRACE_MS = 10_000;
/**
 * For what a command leaves behind when it has ended itself. In a container without an init what has ended stays in its
 * group for ever.
 */
const REST_GRACE_MS = 1000;
/** How often it is looked whether a group has ended, in milliseconds. */
const LOOK_MS = 20;
/** What `timeout` of coreutils exits with. */
const TIMED_OUT = 124;

export interface Job {
  readonly payload: Uint8Array;
  /** Beside the environment given to all; `undefined` takes away what is there. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** How a command ended. */
export interface Ended {
  /** As a shell has it: 128 and the signal's number if one killed it; 124 after a timeout. */
  readonly status: number;
  /** `null` if all is well; else `exited 3`, `killed by SIGKILL`, `timed out after 5s`. */
  readonly reason: string | null;
}

/** We were told to stop before. */
const NOT_STARTED: Ended = { status: 0, reason: "not started" };

export class Handler {
  /** The command's name, for notices. */
  readonly name: string;
  readonly #words: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #timeoutMs: number | undefined;
  readonly #running = new Set<Group>();
  #isStopped = false;

  constructor(
    words: readonly string[],
    environment: Readonly<Record<string, string>>,
    timeoutMs: number | undefined,
  ) {
    this.name = oneLine(words[0] ?? "");
    this.#words = words;
    this.#environment = environment;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws CannotRun if it cannot be started */
  async run(job: Job): Promise<Ended> {
    const group = await this.#start(job);
    if (group === null) return NOT_STARTED;
    let isLate = false;
    const callOff = this.#alarm(() => {
      isLate = true;
      group.end("SIGTERM", TIMEOUT_GRACE_MS);
    });
    try {
      const ended = await group.ended;
      return isLate ? this.#timedOut() : ended;
    } finally {
      callOff();
      this.#running.delete(group);
    }
  }

  /** Passes a signal on to what is running; KILL for what is still there some time later. Nothing is started any more. */
  stop(signal: NodeJS.Signals): void {
    this.#isStopped = true;
    for (const group of this.#running) group.end(signal, STOP_GRACE_MS);
  }

  #alarm(ring: () => void): () => void {
    return this.#timeoutMs === undefined ? () => {} : setAlarm(this.#timeoutMs, ring);
  }

  #timedOut(): Ended {
    return { status: TIMED_OUT, reason: `timed out after ${formatDuration(this.#timeoutMs ?? 0)}` };
  }

  /** From the moment a command runs it is among those that `stop` reaches. */
  async #start({ payload, variables }: Job): Promise<Group | null> {
    const file = await payloadFile(payload);
    try {
      if (this.#isStopped) return null;
      const env = { ...this.#environment, ...variables };
      const child = this.#spawn({ env, detached: true, stdio: [file?.fd ?? "pipe", "inherit", "inherit"] });
      if (child.pid === undefined) throw await errorOf(child);
      child.stdin?.on("error", () => {}); // it need not read its input
      child.stdin?.end(payload);
      const group = new Group(child, child.pid);
      this.#running.add(group);
      return group;
    } catch (error) {
      throw this.#cannotRun(error);
    } finally {
      await file?.close();
    }
  }

  #spawn(options: SpawnOptions): ChildProcess {
    const [file = "", ...words] = this.#words;
    if (this.#words.every(isTextName)) return spawn(file, words, options);
    throw new Error("its words are not UTF-8, which Node cannot pass on");
  }

  #cannotRun(error: unknown): CannotRun {
    const code = codeOf(error);
    if (code === "ENOENT" || this.#words[0] === "") {
      return new CannotRun(127, `cannot run ${this.name}: there is no such command`, error);
    }
    const reason = code === "EACCES" ? "it is not executable" : (code ?? reasonOf(error));
    return new CannotRun(126, `cannot run ${this.name}: ${reason}`, error);
  }
}

/** Why it was not started. */
function errorOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once("error", resolve));
}

/** Nothing that was started here outlives this process, unless that is killed itself. */
const groups = new Set<Group>();
process.on("exit", () => {
  for (const group of groups) group.kill("SIGKILL");
});

/** A running command and all that it has started and not sent away. */
class Group {
  readonly ended: Promise<Ended>;
  readonly #id: number;
  #ending: Promise<void> | null = null;
  #hasEnded = false;

  constructor(child: ChildProcess, id: number) {
    this.#id = id;
    groups.add(this);
    this.ended = this.#endOf(child);
  }

  /** Signals it; KILL for what is still there after the grace. */
  end(signal: NodeJS.Signals, graceMs: number): void {
    this.#ending ??= this.#end(signal, graceMs);
  }

  /** False if nothing is there any more. */
  kill(signal: NodeJS.Signals | 0): boolean {
    try {
      return process.kill(-this.#id, signal);
    } catch (error) {
      return codeOf(error) === "EPERM"; // it runs as another user by now: out of reach, but there
    }
  }

  async #end(signal: NodeJS.Signals, graceMs: number): Promise<void> {
    const latest = performance.now() + graceMs;
    this.kill(signal);
    let alone = Number.POSITIVE_INFINITY;
    while (this.kill(0) && performance.now() < Math.min(latest, alone)) {
      if (this.#hasEnded) alone = Math.min(alone, performance.now() + REST_GRACE_MS);
      await pause(LOOK_MS);
    }
    this.kill("SIGKILL");
  }

  /** If it was told to end, what it has started must have ended, too. */
  async #endOf(child: ChildProcess): Promise<Ended> {
    const ended = await new Promise<Ended>((resolve) =>
      child.once("exit", (code, signal) => resolve(endedAs(code, signal))),
    );
    this.#hasEnded = true;
    await this.#ending;
    groups.delete(this);
    return ended;
  }
}

function endedAs(code: number | null, signal: NodeJS.Signals | null): Ended {
  if (signal !== null) return { status: 128 + constants.signals[signal], reason: `killed by ${signal}` };
  return { status: code ?? 0, reason: code === 0 ? null : `exited ${code}` };
}
