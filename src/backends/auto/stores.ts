/** The two stores of `auto`, and which of them an operation may use. */
import type { Backend } from "../../core/backend.ts";
import { BlackboardError } from "../../core/errors.ts";
import { hasUnsynced } from "../memory/unsynced.ts";
import { type BackendSettings, unsyncedNotice } from "../open.ts";
import { UnreachableError } from "../redis/errors.ts";
import { createRedis, type RedisStore } from "../redis/index.ts";
import { StarvationWatch } from "./starvation.ts";

/** How long redis may take to answer before it counts as unreachable. */
const REACH_MS = 300;
/** How often that is tried if the process did not get to run meanwhile: the silence was then its own. */
const ATTEMPTS = 4;
/** How long it then counts so, before it is tried again: a program's many operations must not each wait for nobody. */
const VERDICT_MS = 1000;

export class Stores {
  readonly settings: BackendSettings;
  readonly redis: RedisStore;
  #memory: Promise<Backend> | null = null;
  #unreachable: { readonly error: UnreachableError; readonly until: number } | null = null;
  /** How often redis was found to be there after it was away. */
  #timesSeen = 0;
  #toldOfFallback = false;
  #toldOfUnsynced = false;

  constructor(settings: BackendSettings) {
    this.settings = settings;
    this.redis = createRedis(settings);
  }

  /** `null` if redis is there, else why it cannot be reached. Any other trouble with it is thrown. */
  async reach(): Promise<UnreachableError | null> {
    if (this.#unreachable !== null && this.#unreachable.until > Date.now()) return this.#unreachable.error;
    this.#unreachable = null;
    const seen = this.#timesSeen;
    const error = await this.#tryToReach(ATTEMPTS);
    if (error === null) return null;
    if (seen !== this.#timesSeen) return this.reach(); // it has come meanwhile
    this.#unreachable = { error, until: Date.now() + VERDICT_MS };
    return error;
  }

  /** Redis is there, as somebody has found out who follows it. */
  seeRedis(): void {
    this.#timesSeen++;
    this.#unreachable = null;
  }

  async #tryToReach(attempts: number): Promise<UnreachableError | null> {
    const watch = new StarvationWatch();
    try {
      await this.redis.connect(Math.min(REACH_MS, this.settings.timeoutMs));
      watch.end();
      return null;
    } catch (error) {
      const wasStarved = watch.end();
      if (!(error instanceof UnreachableError)) throw error;
      return wasStarved && attempts > 1 ? this.#tryToReach(attempts - 1) : error;
    }
  }

  /** The store for an operation that either can do. */
  async choose(): Promise<Backend> {
    const unreachable = await this.reach();
    if (unreachable === null) {
      this.#toldOfFallback = false;
      this.#tellOfUnsynced();
      return this.redis;
    }
    if (!this.settings.fallback) throw unreachable;
    const memory = await this.memory();
    this.#tellOfFallback(unreachable);
    return memory;
  }

  /** The store for an operation that decides who wins: redis or nothing. */
  async decider(operation: string): Promise<Backend> {
    const unreachable = await this.reach();
    if (unreachable === null) {
      this.#tellOfUnsynced();
      return this.redis;
    }
    throw undecided(operation, unreachable);
  }

  /**
   * The same for somebody who has won already, and has a time of his own to be patient: a moment's silence of redis does not count as an
   * absence, as it does where there is a choice.
   */
  async decided<Result>(operation: string, work: (redis: Backend) => Promise<Result>): Promise<Result> {
    try {
      return await work(this.redis);
    } catch (error) {
      throw error instanceof UnreachableError ? undecided(operation, error) : error;
    }
  }

  memory(): Promise<Backend> {
    this.#memory ??= this.#loadMemory();
    return this.#memory;
  }

  async #loadMemory(): Promise<Backend> {
    try {
      const { openMemory } = await import("../memory/index.ts");
      return await openMemory({ ...this.settings, path: this.settings.memoryPath, flagUnsynced: true });
    } catch (error) {
      this.#memory = null; // a file that was locked, or a disk that was full, may not be so next time
      throw error;
    }
  }

  /** Once a command; in a program, each time redis goes away. */
  #tellOfFallback(unreachable: UnreachableError): void {
    if (this.#toldOfFallback) return;
    this.#toldOfFallback = true;
    this.#toldOfUnsynced = false; // there may be new ones when redis is back
    this.settings.onNotice(`${unreachable.message}; using ${this.settings.memoryPath} instead`);
  }

  #tellOfUnsynced(): void {
    if (this.#toldOfUnsynced) return;
    this.#toldOfUnsynced = true;
    const notice = unsyncedNotice(this.settings.memoryPath);
    if (notice !== null) this.settings.onNotice(notice);
  }

  async close(): Promise<void> {
    const memory = await this.#memory?.catch(() => null);
    await Promise.all([this.redis.close(), memory?.close()]);
  }

  /** Whether the file has a part of this board's past: it does where it stood in for redis. */
  get hasUnsynced(): boolean {
    return hasUnsynced(this.settings.memoryPath);
  }
}

function undecided(operation: string, unreachable: UnreachableError): BlackboardError {
  const message = `${unreachable.message}; ${operation} is not decided on the file, two could win`;
  const hint = "--backend memory decides on the file, if every agent uses it";
  return new BlackboardError("unavailable", message, { hint, cause: unreachable });
}
