/** Locks, for the tests of the memory store. */
import type { Backend } from "../../src/core/backend.ts";
import type { Grant, LockRequest } from "../../src/core/lock.ts";
import type { FollowState } from "../../src/core/types.ts";
import { until, within } from "../helpers/until.ts";
import { query } from "./memory-world.ts";

/** What is asked for in the name of a token: a slot for a minute, the only one, unless told otherwise. */
export function request(token: string, more: Partial<LockRequest> = {}): LockRequest {
  return { token, ttlMs: 60_000, slots: 1, owner: `${token}@here`, host: "here", pid: 4711, ...more };
}

/** Somebody in line for the lock `l`. */
export interface Waiter {
  readonly granted: Promise<Grant | null>;
  readonly states: FollowState[];
  stop(): void;
}

export function wait(backend: Backend, token: string, more: Partial<LockRequest> = {}, lock = "l"): Waiter {
  const stop = new AbortController();
  const states: FollowState[] = [];
  const patience = { signal: stop.signal, onState: (state: FollowState) => void states.push(state) };
  const granted = backend.awaitLock(lock, request(token, more), patience);
  granted.catch(() => {}); // whoever awaits it is told
  return { granted, states, stop: () => stop.abort() };
}

/** The same once it stands in line, or has its answer. */
export async function line(
  path: string,
  backend: Backend,
  token: string,
  more: Partial<LockRequest> = {},
  lock = "l",
): Promise<Waiter> {
  const waiter = wait(backend, token, more, lock);
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  waiter.granted.then(end, end);
  await until(`${token} stands in line`, () => isOver || tokensIn(path).includes(token));
  return waiter;
}

/** A slot of the lock `l` that is free. */
export async function hold(
  backend: Backend,
  token: string,
  more: Partial<LockRequest> = {},
  lock = "l",
): Promise<Grant> {
  return granted(backend.tryLock(lock, request(token, more)));
}

/** What is granted soon. */
export async function granted(grant: Promise<Grant | null>): Promise<Grant> {
  const found = await within("the lock", grant);
  if (found === null) throw new Error("the lock was not granted");
  return found;
}

/** The line of all locks, first come first. */
export function tokensIn(path: string): unknown[] {
  return query(path, "SELECT token FROM line ORDER BY id").map(({ token }) => token);
}

/** How many hold and how many stand in line, in the file. A grant that is over stays there until the next one. */
export function leftIn(path: string): unknown {
  const holders = "SELECT count(*) FROM holders WHERE expires_at > ?";
  return query(path, `SELECT (${holders}) AS holders, (SELECT count(*) FROM line) AS line`, Date.now())[0];
}

export const NOTHING = { holders: 0, line: 0 };
