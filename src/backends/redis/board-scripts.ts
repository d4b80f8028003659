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
  readonly deadline?: Deadline;
}

export class BoardScripts {
  readonly #link: Link;
  readonly #layout: Layout;
  readonly #settings: ScriptSettings;

  constructor(link: Link, layout: Layout, settings: ScriptSettings) {
    this.#link = link;
    this.#layout = layout;
    this.#settings = settings;
  }

  /** A script that keeps no books. */
  run(script: Script, { effect, keys = [], agent = "", args = [], deadline }: Run): Promise<Reply> {
    return this.#link.script(effect, script, this.#keys(keys), this.#header(agent, args), deadline);
  }

  /** The same, on a connection at hand. */
  runOn(connection: Connection, script: Script, { keys = [], agent = "", args = [] }: Run): Promise<Reply> {
    return evaluate(connection, script, this.#keys(keys), this.#header(agent, args));
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
