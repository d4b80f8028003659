/** What the methods of a board may be told. */
import { usageError } from "./errors.ts";
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

/** @throws BlackboardError `usage` if two conditions are given */
export function conditionOf(options: SetValueOptions): Condition | null {
  if (options.ifValue !== undefined) {
    if (options.if !== undefined) throw usageError("only one condition can be given");
    return { if: "value", value: toBytes(options.ifValue) };
  }
  return options.if === undefined ? null : { if: options.if };
}
