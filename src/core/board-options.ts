/** What the methods of a board may be told. */
import { usageError } from "./errors.ts";
import { nearest } from "./nearest.ts";
import type { Condition, FollowState, TtlMs } from "./types.ts";
import { toBytes, type Value } from "./values.ts";

/** Options of {@link Blackboard.set}. */
export interface SetValueOptions {
  /** Milliseconds to live; `null`: for ever; `"keep"`: what the key has. Default: the board's `ttl_seconds`. */
  readonly ttlMs?: TtlMs;
  /** Write only if the key is absent, or only if it is present. */
  readonly if?: "absent" | "present";
  /** Write only if this is the present value, byte for byte. */
  readonly ifValue?: Value;
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

/** Options of {@link Blackboard.subscribe}. */
export interface SubscribeOptions {
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
  /** Told when the store goes away and when it is back. */
  readonly onState?: (state: FollowState) => void;
}

/** How a board names things and what it does unless told otherwise. */
export interface BoardDefaults {
  readonly prefix: string;
  readonly ttlMs: number | null;
  readonly agent: string;
}

const SET_OPTIONS = ["ttlMs", "if", "ifValue"];
const CLEAR_OPTIONS = ["unwrittenForMs", "max", "dryRun"];
const LIST_OPTIONS = ["unwrittenForMs"];
const SUBSCRIBE_OPTIONS = ["signal", "onState"];

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
export function checkList(options: { readonly unwrittenForMs?: number }): void {
  refuseUnknown(options, LIST_OPTIONS);
  checkWhole("unwrittenForMs", options.unwrittenForMs);
}

/** @throws BlackboardError `usage` */
export function checkSubscribe(options: SubscribeOptions): void {
  refuseUnknown(options, SUBSCRIBE_OPTIONS);
}

function checkWhole(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return;
  throw usageError(`the option ${name} must be a whole number, at least 0`);
}

/** An option that is not known would silently do nothing. */
export function refuseUnknown(options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const guess = nearest(unknown, known);
  throw usageError(`there is no option ${unknown}`, guess === null ? undefined : `did you mean ${guess}?`);
}
