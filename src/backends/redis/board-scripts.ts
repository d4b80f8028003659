/** Runs scripts in one board: puts its header before their own arguments (see `scripts.ts`). */
import type { Argument, Connection } from "./connection.ts";
import type { Deadline } from "./deadline.ts";
import type { Layout } from "./layout.ts";
import { type Effect, evaluate, type Link } from "./link.ts";
import type { Reply } from "./replies.ts";
import type { Script } from "./scripts.ts";

export interface ScriptSettings {
  readonly database: number;
  readonly history: {
    readonly messagesPerChannel: number;
    readonly changes: number;
    readonly maxAgeMs: number;
  };
}

/** One run of a script. */
export interface Run {
  readonly effect: Effect;
  /** Who does it; nobody, if the script says of nothing who did it. */
  readonly agent?: string;
  /** Those it is about, whole names. */
  readonly keys?: readonly string[];
  readonly args?: readonly Argument[];
  /** How much it does in one. Default: 1. */
  readonly steps?: number;
  readonly deadline?: Deadline;
}

/**
 * From so many steps on the text travels with each run: it costs the server about 15 µs, and the order of runs holds even where the server has forgotten
 * all scripts in the meantime.
 */
const STEPS_IN_FULL = 16;

export class BoardScripts {
  readonly #link: Link;
  readonly #layout: Layout;
  readonly #settings: ScriptSettings;
  /** How many steps a run may have that goes by the script's name. */
  #mostByName = STEPS_IN_FULL - 1;

  constructor(link: Link, layout: Layout, settings: ScriptSettings) {
    this.#link = link;
    this.#layout = layout;
    this.#settings = settings;
  }

  /** From now on the text travels with every run: one by name, if the server has forgotten it, is sent again behind what was asked for later. */
  keepOrder(): void {
    this.#mostByName = 0;
  }

  /** A script that keeps no books. */
  run(script: Script, run: Run): Promise<Reply> {
    return this.#link.run(run.effect, (connection) => this.runOn(connection, script, run), run.deadline);
  }

  /** The same, on a connection at hand. */
  runOn(connection: Connection, script: Script, run: Run): Promise<Reply> {
    const { keys = [], agent = "", args = [], steps = 1 } = run;
    const [names, all] = [this.#keys(keys), this.#header(agent, args)];
    if (steps <= this.#mostByName) return evaluate(connection, script, names, all);
    return connection.call("eval", script.source, names.length, ...names, ...all);
  }

  /** One with `BOOKS`: the database comes last. */
  book(script: Script, { args = [], ...how }: Run): Promise<Reply> {
    return this.run(script, { ...how, args: [...args, this.#settings.database] });
  }

  /** The same, on a connection at hand. */
  bookOn(connection: Connection, script: Script, { args = [], ...how }: Run): Promise<Reply> {
    return this.runOn(connection, script, { ...how, args: [...args, this.#settings.database] });
  }

  #keys(keys: readonly string[]): readonly string[] {
    return [this.#layout.id, ...keys];
  }

  #header(agent: string, args: readonly Argument[]): readonly Argument[] {
    const { changes, messagesPerChannel, maxAgeMs } = this.#settings.history;
    return [this.#layout.root, agent, changes, messagesPerChannel, maxAgeMs, ...args];
  }
}
