/**
 * A command that is run in our place: it has our standard input, output and error, and shares our process group and so our terminal,
 * as if it had been started without us.
 */
import { setTimeout as pause } from "node:timers/promises";
import { isInForeground, isThere, type ProcessId, sendSignal, stopHere, treeOf } from "./process-tree.ts";
import { type Ended, endOf, startCommand } from "./spawning.ts";

/** How often it is looked whether what was told to end has ended, in milliseconds. */
const LOOK_MS = 20;
/** Which part of a grace the polite signal has; then there is KILL, which takes its time, too. */
const POLITE = 0.9;

/** What was started and has not ended: nothing outlives this process, unless that is killed itself. */
const running = new Set<Foreground>();
process.on("exit", () => {
  for (const command of running) command.kill();
});

export interface ForegroundOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Tells by its environment whether a process was started by the command. */
  readonly has: (environment: string) => boolean;
  /** How long the command may take to end when it has to, in milliseconds. */
  readonly graceMs: number;
}

export class Foreground {
  /** When the command has ended; if it was told to, all that it had started has, too. */
  readonly ended: Promise<Ended>;
  readonly #pid: number;
  readonly #options: ForegroundOptions;
  #ending: Promise<void> | null = null;
  #isToldToEnd = false;
  #hasEnded = false;

  /** @throws CannotRun */
  static async start(words: readonly string[], options: ForegroundOptions): Promise<Foreground> {
    const started = await startCommand(words, { env: options.env, stdio: "inherit" });
    return new Foreground(started.pid, endOf(started), options);
  }

  private constructor(pid: number, ended: Promise<Ended>, options: ForegroundOptions) {
    this.#pid = pid;
    this.#options = options;
    running.add(this);
    this.ended = ended.then((end) => {
      this.#hasEnded = true;
      return this.#rest(end);
    });
  }

  /** Whether it is the one the keys of a terminal go to. */
  get isInForeground(): boolean {
    return isInForeground(this.#pid);
  }

  /** Passes a signal on; the keys of a terminal may have reached the command already. */
  pass(signal: NodeJS.Signals): void {
    const isKey = signal === "SIGINT" || signal === "SIGQUIT" || signal === "SIGTSTP";
    const hasIt = isKey && this.isInForeground;
    if (["SIGHUP", "SIGTERM"].includes(signal)) this.#isToldToEnd = true;
    if (!hasIt) sendSignal(this.#pid, signal);
    if (signal === "SIGTSTP") this.#stopWithIt(hasIt);
  }

  /** Ends it and all that it has started: TERM, and KILL for what is still there at the end of the grace. */
  end(): void {
    this.#ending ??= this.#end();
  }

  kill(): void {
    for (const { pid } of this.#tree()) sendSignal(pid, "SIGKILL");
  }

  /** Who brings us back brings back the command, too, if that is in our process group. */
  #stopWithIt(comesBackByItself: boolean): void {
    stopHere();
    if (!comesBackByItself) sendSignal(this.#pid, "SIGCONT");
  }

  #tree(): readonly ProcessId[] {
    return treeOf(this.#hasEnded ? null : this.#pid, this.#options.has);
  }

  async #end(): Promise<void> {
    const latest = performance.now() + this.#options.graceMs * POLITE;
    let tree = this.#tree();
    for (const { pid } of tree) {
      sendSignal(pid, "SIGTERM");
      sendSignal(pid, "SIGCONT"); // one that is stopped would not hear it
    }
    while (tree.length > 0 && performance.now() < latest) {
      await pause(Math.min(LOOK_MS, latest - performance.now()));
      tree = tree.filter(isThere);
      if (tree.length === 0) tree = this.#tree(); // what was started meanwhile
    }
    for (const { pid } of tree) sendSignal(pid, "SIGKILL");
    this.kill();
  }

  /** Who is told to end, and ends, leaves what it has started behind; that is still the work it was to do. */
  async #rest(end: Ended): Promise<Ended> {
    if (this.#isToldToEnd && this.#tree().length > 0) this.end();
    await this.#ending;
    running.delete(this);
    return end;
  }
}
