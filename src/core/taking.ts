/**
 * Taking a key that may still have to appear. It tries, and if nothing is there it follows the keys and tries again, so that none can appear
 * unseen in between; and then whenever one was set. What the store has handed out is always handed on: an attempt that was
 * begun is waited for, whatever happens meanwhile.
 */
import { setTimeout as pause } from "node:timers/promises";
import { setAlarm } from "./alarm.ts";
import type { Backend, Follower } from "./backend.ts";
import { refuseUnknown } from "./board-options.ts";
import { BlackboardError, usageError } from "./errors.ts";
import type { Change, FollowState, Gap, KeySelection, Taken } from "./types.ts";

/** Options of {@link Blackboard.take}. */
export interface TakeOptions {
  /** How long to wait for a key to appear, in milliseconds; `Infinity`: as long as it takes. Default: not at all. */
  readonly timeoutMs?: number;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
  /** Told when the store goes away meanwhile, and when it is back. */
  readonly onState?: (state: FollowState) => void;
}

/** How often a store that is away is asked again, in milliseconds. */
const RETRY_MS = 250;
/** So many keys that were heard of are asked for by their names; if there are more, all that match. */
const MOST_HEARD = 1000;

/** @throws BlackboardError `usage`; the signal's reason */
export async function takeFrom(
  store: Backend,
  selection: KeySelection,
  agent: string,
  options: TakeOptions,
  closed: AbortSignal,
): Promise<Taken | null> {
  refuseUnknown(options, ["timeoutMs", "signal", "onState"]);
  const { timeoutMs = 0, signal, onState = () => {} } = options;
  if (!(Number.isSafeInteger(timeoutMs) || timeoutMs === Number.POSITIVE_INFINITY) || timeoutMs < 0)
    throw usageError("the option timeoutMs must be a whole number, at least 0, or Infinity");
  signal?.throwIfAborted();
  const taken = await store.take(selection, agent);
  if (taken !== null || timeoutMs === 0) return taken;
  const taking = new Taking(store, selection, agent);
  const come = await taking.run(timeoutMs, [closed, ...(signal ? [signal] : [])], onState);
  if (come !== null) return come;
  signal?.throwIfAborted();
  if (closed.aborted) throw usageError("the board is closed");
  return null;
}

class Taking {
  readonly #store: Backend;
  readonly #selection: KeySelection;
  readonly #agent: string;
  /** Keys that were set since the last attempt. */
  readonly #heard = new Set<string>();
  /** Some may have been set unheard. */
  #isUnsure = true;
  readonly #end = new AbortController();
  #failure: { readonly error: unknown } | null = null;
  #wake: () => void = () => {};

  constructor(store: Backend, selection: KeySelection, agent: string) {
    this.#store = store;
    this.#selection = selection;
    this.#agent = agent;
  }

  /** `null`: it was over before. @throws what following or taking fails with */
  async run(
    timeoutMs: number,
    stops: readonly AbortSignal[],
    onState: (state: FollowState) => void,
  ): Promise<Taken | null> {
    const over = AbortSignal.any([this.#end.signal, ...stops]);
    if (over.aborted) return null;
    over.addEventListener("abort", () => this.#wake(), { once: true }); // else the signal keeps all of this for ever
    const callOff = timeoutMs === Infinity ? () => {} : setAlarm(timeoutMs, () => this.#end.abort());
    const hear = (state: FollowState) => {
      onState(state);
      if (state.state === "back") this.#doubt();
    };
    const follower = this.#store.follow(this.#selection, { from: null, live: true, onState: hear });
    try {
      const ended = new Promise<void>((resolve) =>
        over.addEventListener("abort", () => resolve(), { once: true }),
      );
      await Promise.race([follower.ready, ended]);
      void this.#listen(follower, over);
      return await this.#untilTaken(over);
    } finally {
      callOff();
      this.#end.abort();
      await follower.close();
    }
  }

  async #untilTaken(over: AbortSignal): Promise<Taken | null> {
    while (!over.aborted) {
      const taken = await this.#attempt(over);
      if (taken !== null) return taken;
      if (this.#failure !== null) throw this.#failure.error;
      if (this.#isUnsure || this.#heard.size > 0 || over.aborted) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return null;
  }

  /** What is sent and not answered may have taken something: that is thrown, and not tried again. */
  async #attempt(over: AbortSignal): Promise<Taken | null> {
    const selection = this.#isUnsure ? this.#selection : { keys: [...this.#heard], patterns: [] };
    this.#isUnsure = false;
    this.#heard.clear();
    try {
      return await this.#store.take(selection, this.#agent);
    } catch (error) {
      if (!(error instanceof BlackboardError) || error.kind !== "unavailable") throw error;
      this.#isUnsure = true;
      await pause(RETRY_MS, undefined, { signal: over }).catch(() => {}); // aborted: over
      return null;
    }
  }

  async #listen(follower: Follower<Change | Gap>, over: AbortSignal): Promise<void> {
    try {
      for await (const item of follower) {
        if ("gap" in item) this.#doubt();
        else if (item.event === "set") this.#note(item.key);
      }
      if (!over.aborted) throw new BlackboardError("unavailable", "the store was closed");
    } catch (error) {
      this.#failure = { error };
      this.#wake();
    }
  }

  #note(key: string): void {
    if (this.#heard.size >= MOST_HEARD) this.#isUnsure = true;
    else this.#heard.add(key);
    this.#wake();
  }

  #doubt(): void {
    this.#isUnsure = true;
    this.#wake();
  }
}
