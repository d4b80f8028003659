/**
 * The connection that carries a board's operations. It is made when it is needed and again after it was lost, and
 * each operation ends within one bound, connecting included.
 */
import { monotonicMs } from "../../core/clock.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { RedisAddress } from "../../core/redis-url.ts";
import type { Argument, Connection } from "./connection.ts";
import { asking } from "./connections.ts";
import { AbortedError, Deadline, DeadlineError } from "./deadline.ts";
import { dial } from "./dial.ts";
import {
  ConnectionLostError,
  closedError,
  noAnswerWithin,
  replyToError,
  ServerReplyError,
  UnreachableError,
} from "./errors.ts";
import type { Layout } from "./layout.ts";
import type { Reply } from "./replies.ts";
import type { Script } from "./scripts.ts";

/** What it means if no answer comes: a `read` changed nothing, a `write` may have happened. */
export type Effect = "read" | "write";

/** Sends commands on one live connection. */
export type Work<Result> = (connection: Connection) => Promise<Result>;

export interface LinkOptions {
  readonly address: RedisAddress;
  readonly layout: Layout;
  readonly timeoutMs: number;
}

export class Link {
  readonly #options: LinkOptions;
  #connection: Connection | null = null;
  #dialling: Promise<Connection> | null = null;
  readonly #closing = new AbortController();
  /** What `open` took; the next operation has that much less time, for a caller waits for both. */
  #spentMs = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /**
   * Makes sure that there is a connection, ahead of the operation that needs it.
   * @throws UnreachableError if nobody answers within the given milliseconds
   */
  async open(withinMs: number): Promise<void> {
    const start = monotonicMs();
    await this.connect(new Deadline(withinMs));
    this.#spentMs = monotonicMs() - start;
  }

  /** The connection, made if there is none. @throws UnreachableError if nobody answers in time */
  async connect(deadline: Deadline): Promise<Connection> {
    this.checkOpen();
    if (this.#dialling === null && this.#connection?.usable) return this.#connection;
    this.#dialling ??= this.#dial(deadline);
    return this.#bounded(this.#dialling, deadline);
  }

  /** One command. */
  command(effect: Effect, name: string, ...args: readonly Argument[]): Promise<Reply> {
    return this.run(effect, (connection) => connection.call(name, ...args));
  }

  /**
   * Runs some commands within the store's bound, or what is left of the given one.
   * @throws BlackboardError: UnreachableError before any byte of them was sent; afterwards by what became of them
   */
  async run<Result>(effect: Effect, work: Work<Result>, deadline = this.deadline()): Promise<Result> {
    for (let attempt = 0; ; attempt++) {
      const connection = await this.connect(deadline);
      try {
        return await deadline.race(work(connection));
      } catch (error) {
        if (attempt > 0 || !this.#mayHaveMoved(error))
          throw this.#explain(error, effect, connection, deadline);
        this.#drop(connection); // refused before anything was done; dialling again finds the right node
      }
    }
  }

  /** The bound of one operation, or of one step of a long one. */
  deadline(signal: AbortSignal | null = null): Deadline {
    const { timeoutMs } = this.#options;
    const end = monotonicMs() + timeoutMs - this.#spentMs;
    this.#spentMs = 0;
    return new Deadline(timeoutMs, signal, end);
  }

  /** @throws BlackboardError `usage` if it was closed */
  checkOpen(): void {
    if (this.#closing.signal.aborted) throw closedError();
  }

  /** Waits for nobody: what is under way fails. */
  close(): void {
    this.#closing.abort();
    this.#connection?.destroy();
    this.#connection = null;
  }

  #mayHaveMoved(error: unknown): boolean {
    return this.#options.layout.hasHashTag && error instanceof ServerReplyError && error.code === "MOVED";
  }

  /** For every operation that wants a connection, so only `close` ends it early. */
  async #dial(deadline: Deadline): Promise<Connection> {
    const { signal } = this.#closing;
    try {
      const { address, layout } = this.#options;
      const connection = await dial(asking, address, layout, deadline.for(signal));
      if (signal.aborted) connection.destroy();
      else this.#connection = connection;
      process.nextTick(() => {
        this.#dialling = null; // not before those that wait have gone on: who comes meanwhile goes behind them
      });
      return connection;
    } catch (error) {
      this.#dialling = null;
      throw error;
    }
  }

  /** A dialling begun by another operation may have a longer bound than this one. */
  async #bounded(dialling: Promise<Connection>, deadline: Deadline): Promise<Connection> {
    try {
      return await deadline.later(DIAL_GRACE_MS).race(dialling);
    } catch (error) {
      if (error instanceof AbortedError) throw closedError();
      if (!(error instanceof DeadlineError)) throw error;
      throw new UnreachableError(this.#options.address.shown, noAnswerWithin(deadline));
    }
  }

  #explain(error: unknown, effect: Effect, connection: Connection, deadline: Deadline): unknown {
    const { shown } = this.#options.address;
    if (error instanceof ServerReplyError) {
      if (error.closesConnection) this.#drop(connection);
      return replyToError(error, shown);
    }
    if (error instanceof DeadlineError) {
      this.#drop(connection); // a late reply must not be taken for the answer to something else
      return noAnswer(effect, shown, noAnswerWithin(deadline));
    }
    if (error instanceof AbortedError) return closedError(); // its reply is still read, in its turn, by nobody
    if (error instanceof ConnectionLostError) {
      this.#drop(connection);
      return noAnswer(effect, shown, "the connection was lost");
    }
    return error;
  }

  #drop(connection: Connection): void {
    connection.destroy();
    if (this.#connection === connection) this.#connection = null;
  }
}

/** Dialling keeps its own time; this lets its own, better error come first. */
const DIAL_GRACE_MS = 20;

export function noAnswer(effect: Effect, shown: string, reason: string): BlackboardError {
  if (effect === "read") return new BlackboardError("unavailable", `${shown} did not answer (${reason})`);
  return new BlackboardError("unknown", `${shown} was told and did not answer (${reason})`, {
    hint: "it may or may not have happened; look before you try again",
  });
}

const known = new WeakMap<Connection, Set<Script>>();

/** The scripts that a connection's server has run for it. */
function scriptsOf(connection: Connection): Set<Script> {
  const scripts = known.get(connection) ?? new Set();
  known.set(connection, scripts);
  return scripts;
}

/**
 * Runs a script by its text until the server has answered once, then by its name. To ask by name first would let a call
 * that had to be repeated come behind one that was made after it.
 */
export async function evaluate(
  connection: Connection,
  script: Script,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<Reply> {
  const scripts = scriptsOf(connection);
  const all = [keys.length, ...keys, ...args];
  if (!scripts.has(script)) {
    const reply = await connection.call("eval", script.source, ...all);
    scripts.add(script);
    return reply;
  }
  try {
    return await connection.call("evalsha", script.sha1, ...all);
  } catch (error) {
    if (!(error instanceof ServerReplyError) || error.code !== "NOSCRIPT") throw error;
    scripts.delete(script); // the server has forgotten all scripts
    return evaluate(connection, script, keys, args);
  }
}
