/**
 * Runs a command for each message: its words as they are, never through a shell; the payload on its standard input; its output is
 * ours. Each command leads a process group, so that what ends it ends what it started, too.
 */
import { setTimeout as pause } from "node:timers/promises";
import { setAlarm } from "../core/alarm.ts";
import { formatDuration } from "../core/duration.ts";
import { codeOf } from "../core/errors.ts";
import { payloadFile } from "./payload-file.ts";
import { commandName, type Ended, endOf, type Running, startCommand } from "./spawning.ts";

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

/** We were told to stop before. */
const NOT_STARTED: Ended = { status: 0, signal: null, reason: "not started" };

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
    this.name = commandName(words);
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
    return {
      status: TIMED_OUT,
      signal: null,
      reason: `timed out after ${formatDuration(this.#timeoutMs ?? 0)}`,
    };
  }

  /** From the moment a command runs it is among those that `stop` reaches. */
  async #start({ payload, variables }: Job): Promise<Group | null> {
    const file = await payloadFile(payload);
    try {
      if (this.#isStopped) return null;
      const env = { ...this.#environment, ...variables };
      const running = await startCommand(this.#words, {
        env,
        detached: true,
        stdio: [file?.fd ?? "pipe", "inherit", "inherit"],
      });
      const { stdin } = running.child;
      stdin?.on("error", () => {}); // it need not read its input
      stdin?.end(payload);
      const group = new Group(running);
      this.#running.add(group);
      return group;
    } finally {
      await file?.close();
    }
  }
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

  constructor(running: Running) {
    this.#id = running.pid;
    groups.add(this);
    this.ended = this.#endOf(running);
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
  async #endOf(running: Running): Promise<Ended> {
    const ended = await endOf(running);
    this.#hasEnded = true;
    await this.#ending;
    groups.delete(this);
    return ended;
  }
}
