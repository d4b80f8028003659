/** What the methods of a board may be told. */

import type { Condition, Fence } from "./conditional.ts";
import { usageError } from "./errors.ts";
import { idToNumber } from "./ids.ts";
import type { Naming } from "./naming.ts";
import { nearest } from "./nearest.ts";
import type { FollowState, Gap, Start, TtlMs } from "./types.ts";
import { toBytes, type Value } from "./values.ts";

/** Options of {@link Blackboard.set}. */
export interface SetValueOptions {
  /** Milliseconds to live; `null`: for ever; `"keep"`: what the key has. Default: the board's `ttl_seconds`. */
  readonly ttlMs?: TtlMs;
  /** Write only if the key is absent, or only if it is present. */
  readonly if?: "absent" | "present";
  /** Write only if this is the present value, byte for byte. */
  readonly ifValue?: Value;
  /** Write only while the grant with this number stands, or after it until the lock is granted again: what holds a lock can be given as it is. Together with a condition, both must hold. */
  readonly fence?: Fence;
}

/** Options of {@link Blackboard.clear}. */
export interface ClearOptions {
  /** Only keys not written for this many milliseconds; a key a foreign client wrote never counts as old. */
  readonly unwrittenForMs?: number;
  /** Delete nothing and throw `conflict` if more than this many keys match. */
  readonly max?: number;
  /** Count what would be deleted, delete nothing. */
  readonly dryRun?: boolean;
}

/** Who is told what happens while messages are awaited. */
export interface WaitOptions {
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Told when the store goes away and when it is back; of a consumer also when it waits for what a lost worker holds. */
  readonly onState?: (state: FollowState) => void;
  /** Told, just before the message behind it, where retention has dropped messages that were to come. */
  readonly onGap?: (gap: Gap["gap"]) => void;
}

/** Options of {@link Blackboard.subscribe}. At most one of `last` and `since`. */
export interface SubscribeOptions extends WaitOptions {
  /** Begin with the newest so many messages retained. */
  readonly last?: number;
  /** Begin behind an id (a string), at a time (a `Date`), or so many milliseconds ago (a number). */
  readonly since?: string | Date | number;
  /** `false`: end with what was there when it began. Only together with `last` or `since`. */
  readonly live?: boolean;
}

/** Options of {@link Blackboard.keyBatches}. */
export interface KeyBatchOptions {
  /** In the order of the names' bytes: all are read before the first batch comes, and take some 20 bytes more than the name each. */
  readonly sorted?: boolean;
  /** At most so many; the first in order, if they are sorted. */
  readonly limit?: number;
}

/** Options of {@link Blackboard.list}. */
export interface ListOptions {
  /** In the order of the names' bytes. What is known of a key is then asked shortly before it comes; the names are held as by `keyBatches`. */
  readonly sorted?: boolean;
  /** Only keys not written for so many milliseconds; never one a foreign client wrote. */
  readonly unwrittenForMs?: number;
  /** Only keys that this agent wrote last. */
  readonly by?: string;
}

/** Options of {@link Blackboard.consume}. */
export interface ConsumeOptions extends WaitOptions {
  /** The consumer's name. */
  readonly consumer: string;
  /** Where a new consumer begins: `"start"` (default) with what is retained, `"now"` with what comes from now on. */
  readonly begin?: "start" | "now";
  /**
   * How long a worker may show no life before others get its messages; default 30,000 ms. Work that blocks the event loop
   * for longer shows none.
   */
  readonly ackTimeoutMs?: number;
  /** How often a failed message is tried again before it goes to `CHANNEL:failed`; default 3, `null`: for ever. */
  readonly retries?: number | null;
  /** How many messages are taken at once, the one being handled included; default 1. */
  readonly prefetch?: number;
}

const DEFAULT_ACK_TIMEOUT_MS = 30_000;
/** A worker renews at a third of it, over a network and on busy machines. */
export const LEAST_ACK_TIMEOUT_MS = 100;
export const DEFAULT_RETRIES = 3;

/** How a board names things and what it does unless told otherwise. */
export interface BoardDefaults {
  readonly prefix: string;
  readonly ttlMs: number | null;
  readonly agent: string;
  /** Where this program runs, for those who want to know who holds a lock. */
  readonly host: string;
  readonly pid: number;
}

const SET_OPTIONS = ["ttlMs", "if", "ifValue", "fence"];
const CLEAR_OPTIONS = ["unwrittenForMs", "max", "dryRun"];
const KEY_BATCH_OPTIONS = ["sorted", "limit"];
const LIST_OPTIONS = ["sorted", "unwrittenForMs", "by"];
const WAIT_OPTIONS = ["signal", "onState", "onGap"];
export const SUBSCRIBE_OPTIONS = [...WAIT_OPTIONS, "last", "since", "live"];
const CONSUME_OPTIONS = [...WAIT_OPTIONS, "consumer", "begin", "ackTimeoutMs", "retries", "prefetch"];

/** @throws BlackboardError `usage` for an unknown condition, or two */
export function conditionOf(options: SetValueOptions): Condition | null {
  refuseUnknown(options, SET_OPTIONS);
  if (options.ifValue !== undefined) {
    if (options.if !== undefined) throw usageError("only one condition can be given");
    return { if: "value", value: toBytes(options.ifValue) };
  }
  // A mistyped condition must not be an unconditional write.
  if (options.if === undefined || options.if === "absent" || options.if === "present") {
    return options.if === undefined ? null : { if: options.if };
  }
  throw usageError('the option if must be "absent" or "present"');
}

/** @throws BlackboardError `usage`: a mistyped fence must not be none */
export function fenceOf({ fence }: SetValueOptions, names: Naming): Fence | null {
  if (fence === undefined) return null;
  if (typeof fence !== "object" || fence === null)
    throw usageError("the option fence must be { lock, fence }");
  if (typeof fence.fence !== "number") throw usageError("the fence must be a number");
  checkWhole("fence", fence.fence);
  return { lock: names.plain("lock", fence.lock), fence: fence.fence };
}

/** @throws BlackboardError `usage`: a mistyped limit must not be no limit */
export function checkClear(options: ClearOptions): void {
  refuseUnknown(options, CLEAR_OPTIONS);
  checkWhole("max", options.max);
  checkWhole("unwrittenForMs", options.unwrittenForMs);
  if (options.dryRun !== undefined && typeof options.dryRun !== "boolean") {
    throw usageError("the option dryRun must be true or false");
  }
}

/** @throws BlackboardError `usage` */
export function checkKeyBatches(options: KeyBatchOptions): void {
  refuseUnknown(options, KEY_BATCH_OPTIONS);
  checkWhole("limit", options.limit);
}

/** @throws BlackboardError `usage` */
export function checkList(options: ListOptions): void {
  refuseUnknown(options, LIST_OPTIONS);
  checkWhole("unwrittenForMs", options.unwrittenForMs);
}

/** Where to begin; `null`: now. @throws BlackboardError `usage` */
export function startOf(options: SubscribeOptions): Start | null {
  refuseUnknown(options, SUBSCRIBE_OPTIONS);
  checkWhole("last", options.last);
  if (options.last !== undefined && options.since !== undefined) {
    throw usageError("last and since cannot go together");
  }
  if (options.last !== undefined) return { last: options.last };
  if (options.since !== undefined) return sinceOf(options.since);
  if (options.live !== false) return null;
  throw usageError("what is not live needs last or since, or there is nothing to come");
}

/** @throws BlackboardError `usage` */
export function sinceOf(since: string | Date | number): Start {
  if (since instanceof Date) {
    if (Number.isNaN(since.getTime())) throw usageError("the option since is not a valid date");
    return { sinceMs: since.getTime() };
  }
  if (typeof since === "number") {
    checkWhole("since", since);
    return { agoMs: since };
  }
  const after = idToNumber(since);
  if (after === null) throw usageError("the option since must be an id, a Date or milliseconds");
  return { after };
}

/** With the defaults. @throws BlackboardError `usage` */
export function consumeSettings(options: ConsumeOptions) {
  refuseUnknown(options, CONSUME_OPTIONS);
  const { begin = "start", ackTimeoutMs = DEFAULT_ACK_TIMEOUT_MS, retries = DEFAULT_RETRIES } = options;
  if (begin !== "start" && begin !== "now") throw usageError('the option begin must be "start" or "now"');
  checkWhole("ackTimeoutMs", ackTimeoutMs, LEAST_ACK_TIMEOUT_MS);
  checkWhole("retries", retries ?? 0);
  const { prefetch = 1 } = options;
  checkWhole("prefetch", prefetch, 1);
  return { begin, ackTimeoutMs, retries, prefetch };
}

export function checkWhole(name: string, value: number | undefined, least = 0): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least)) return;
  throw usageError(`the option ${name} must be a whole number, at least ${least}`);
}

/** An option that is not known would silently do nothing. */
export function refuseUnknown(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const guess = nearest(name, known);
    throw usageError(`there is no option ${name}`, guess === null ? undefined : `did you mean ${guess}?`);
  }
}
