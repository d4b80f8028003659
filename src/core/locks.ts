/** The locks of a board: getting them, and what is known of them. What a lock promises stands in `lock.ts`. */
import { randomBytes } from "node:crypto";
import { setAlarm } from "./alarm.ts";
import type { Backend } from "./backend.ts";
import { formatAge, formatDuration } from "./duration.ts";
import { BlackboardError, usageError } from "./errors.ts";
import { Held } from "./held.ts";
import type { Claimant, Grant, LockFacts, LockRequest } from "./lock.ts";
import {
  ACQUIRED_TTL_MS,
  type AcquireOptions,
  checkLockTtl,
  checkToken,
  HELD_TTL_MS,
  type LockOptions,
  lockSettings,
} from "./lock-options.ts";
import type { Naming } from "./naming.ts";

export interface LocksPlace extends Claimant {
  readonly names: Naming;
  /** Aborted when the board is closed. */
  readonly closed: AbortSignal;
}

/** A grant, for whoever keeps its token. */
export interface Acquired {
  readonly lock: string;
  /** Whoever knows it may refresh and release. */
  readonly token: string;
  /** Greater than those of all grants of this lock before: for `set` with a `fence`, and for other systems that can refuse what is stale. */
  readonly fence: number;
  /** By the store's clock, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

type Settings = ReturnType<typeof lockSettings>;
/** Makes something of a grant. */
type Take<Taken> = (grant: Grant, named: Pick<Acquired, "lock" | "token">, store: Backend) => Taken;

export class Locks {
  readonly #place: LocksPlace;
  readonly #store: () => Backend;
  readonly #held = new Set<Held>();
  /** What is being done under those that are held by `run`. */
  readonly #works = new Map<Held, Promise<unknown>>();
  readonly #getting = new Set<Promise<unknown>>();

  /** @param store throws BlackboardError `usage` if the board is closed */
  constructor(place: LocksPlace, store: () => Backend) {
    this.#place = place;
    this.#store = store;
  }

  /** {@link Blackboard.lock} */
  async run<Result>(
    name: string,
    options: LockOptions,
    work: (held: Held) => Result | Promise<Result>,
  ): Promise<Result> {
    if (typeof work !== "function") throw usageError("the work to be done under the lock is missing");
    const held = await this.hold(name, options);
    const outcome = await this.#settle(held, work);
    const end = await held.release();
    if (end === "lost") throw held.signal.reason;
    if ("error" in outcome) throw outcome.error;
    return outcome.result;
  }

  /**
   * Gets a lock and keeps it until its `release`, or until the board is closed: it is renewed meanwhile.
   * @throws BlackboardError `conflict` if it is held and `timeoutMs` is 0, `timeout`; the signal's reason
   */
  async hold(name: string, options: LockOptions = {}): Promise<Held> {
    const settings = lockSettings(options, HELD_TTL_MS);
    return this.#get(name, settings, (grant, { lock, token }, store) => {
      const onEnd = () => this.#held.delete(held);
      const held = new Held({ store, lock, token, onTrouble: settings.onTrouble, onEnd }, grant);
      this.#held.add(held);
      return held;
    });
  }

  /** Gets a lock, which stands for `ttlMs` unless it is refreshed. @throws as `hold` does */
  async acquire(name: string, options: AcquireOptions = {}): Promise<Acquired> {
    return this.#get(name, lockSettings(options, ACQUIRED_TTL_MS), acquired);
  }

  /** Begins the time of a grant anew, with another time to live if one is given. @returns `null` if the token holds nothing any more */
  async refresh(name: string, token: string, ttlMs: number | null = null): Promise<Acquired | null> {
    if (ttlMs !== null) checkLockTtl(ttlMs);
    const lock = this.#named(name);
    const options = { ttlMs, withinMs: Number.POSITIVE_INFINITY };
    const grant = await this.#store().refreshLock(lock, checkToken(token), options);
    return grant && acquired(grant, { lock, token });
  }

  /** Gives back what the token holds. False if it held nothing (any more). */
  async release(name: string, token: string): Promise<boolean> {
    return this.#store().releaseLock(this.#named(name), checkToken(token));
  }

  /** Who holds a lock and how many wait for it; `null` if nobody does either. */
  async show(name: string): Promise<LockFacts | null> {
    const [facts = null] = await this.#store().locks(this.#named(name));
    return facts;
  }

  /** The locks that are held or waited for, in no order. */
  async list(): Promise<readonly LockFacts[]> {
    return this.#store().locks(null);
  }

  /** Gives back what this program holds by `hold` and `run`, and what it is being granted. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#getting); // whoever asked is told
    const held = [...this.#held].map((one) => one.abandon(closedError(), this.#works.get(one)));
    for (const end of await Promise.allSettled(held)) if (end.status === "rejected") throw end.reason;
  }

  async #settle<Result>(
    held: Held,
    work: (held: Held) => Result | Promise<Result>,
  ): Promise<{ readonly result: Result } | { readonly error: unknown }> {
    const working = (async () => work(held))();
    this.#works.set(held, working);
    try {
      return { result: await working };
    } catch (error) {
      return { error };
    } finally {
      this.#works.delete(held);
    }
  }

  #named(name: string): string {
    return this.#place.names.plain("lock", name);
  }

  /** @param take what becomes of the grant; it is done before a board that is being closed looks for what is held */
  async #get<Taken>(name: string, settings: Settings, take: Take<Taken>): Promise<Taken> {
    const lock = this.#named(name);
    const { owner, host, pid, closed } = this.#place;
    const { ttlMs, slots, signal } = settings;
    signal?.throwIfAborted();
    const request = { token: newToken(), ttlMs, slots, owner, host, pid: settings.pid ?? pid };
    const store = this.#store();
    const getting = this.#grant(store, lock, request, settings).then(async (grant) => {
      if (!closed.aborted && !signal?.aborted) return take(grant, { lock, token: request.token }, store);
      await store.releaseLock(lock, request.token);
      throw signal?.aborted ? signal.reason : closedError();
    });
    this.#getting.add(getting);
    return getting.finally(() => this.#getting.delete(getting));
  }

  async #grant(store: Backend, lock: string, request: LockRequest, settings: Settings): Promise<Grant> {
    try {
      const grant = await store.tryLock(lock, request);
      if (grant !== null) return grant;
      if (settings.timeoutMs === 0) throw await refusal(store, "conflict", lock, `the lock ${lock}`);
      return await this.#wait(store, lock, request, settings);
    } catch (error) {
      if (!(error instanceof BlackboardError) || error.kind !== "unknown") throw error;
      const hint = `if the lock was granted, it is free again in ${formatDuration(request.ttlMs)}`;
      throw new BlackboardError("unknown", error.message, { hint, cause: error });
    }
  }

  async #wait(store: Backend, lock: string, request: LockRequest, settings: Settings): Promise<Grant> {
    const { timeoutMs, signal, onState } = settings;
    const late = new AbortController();
    const callOff = timeoutMs === Infinity ? () => {} : setAlarm(timeoutMs, () => late.abort());
    const over = AbortSignal.any([late.signal, this.#place.closed, ...(signal ? [signal] : [])]);
    const grant = await store.awaitLock(lock, request, { signal: over, onState }).finally(callOff);
    if (grant !== null) return grant;
    signal?.throwIfAborted();
    if (this.#place.closed.aborted) throw closedError();
    const after = formatDuration(timeoutMs);
    throw await refusal(store, "timeout", lock, `timed out after ${after} waiting: the lock ${lock}`);
  }
}

/** With who holds it now; if that cannot be told, it is not worth another error. */
async function refusal(
  store: Backend,
  kind: "conflict" | "timeout",
  lock: string,
  message: string,
): Promise<BlackboardError> {
  const [facts] = await store.locks(lock).catch(() => []);
  return new BlackboardError(kind, `${message} is ${facts === undefined ? "held" : describeHolders(facts)}`);
}

/** Behind "is": `held by ci@build-3 (host build-3, pid 4711) for 2m`. */
export function describeHolders({ holders, waiting }: LockFacts): string {
  const [first, ...others] = holders;
  if (first === undefined) return `free, but for ${waiting} in line`;
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  const age = formatAge(first.ageMs);
  return `held by ${first.owner} (host ${first.host}, pid ${first.pid})${more} for ${age}`;
}

/** 128 bits that nobody can guess. */
function newToken(): string {
  return randomBytes(16).toString("hex");
}

function acquired({ fence, expiresAt }: Grant, named: Pick<Acquired, "lock" | "token">): Acquired {
  return { ...named, fence, expiresAt };
}

function closedError(): BlackboardError {
  return usageError("the board is closed");
}
