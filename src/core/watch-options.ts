/** What `watch`, `wait` and `history` of a board may be told. */
import {
  checkWhole,
  refuseUnknown,
  SUBSCRIBE_OPTIONS,
  type SubscribeOptions,
  sinceOf,
  startOf,
} from "./board-options.ts";
import { usageError } from "./errors.ts";
import type { Bytes, Start } from "./types.ts";
import { toBytes, type Value } from "./values.ts";

/** Options of {@link Blackboard.watch}. At most one of `last`, `since` and `initial`. */
export interface WatchOptions extends SubscribeOptions {
  /** Begin with the values that are there; what changes meanwhile follows, once. With `live: false` only they come. */
  readonly initial?: boolean;
}

/** Options of {@link Blackboard.history}. At most one of `last` and `since`. */
export interface HistoryOptions extends Pick<SubscribeOptions, "last" | "since" | "signal" | "onGap"> {}

/** Options of {@link Blackboard.wait}. */
export interface WaitForOptions extends Pick<SubscribeOptions, "signal" | "onState"> {
  /** What is waited for: that the key is there (default), or is not, or changes. */
  readonly until?: "present" | "absent" | "changed";
  /** That the key has this value, byte for byte. */
  readonly value?: Value;
  /** For `"changed"`: behind which id, since when or since how long ago a change counts; default: from now on. */
  readonly since?: string | Date | number;
  /** Of several keys: whether one is enough. Default: all, at the same time. */
  readonly any?: boolean;
  /** The longest wait, in milliseconds; then it throws `timeout`. Default: as long as it takes. */
  readonly timeoutMs?: number;
}

const WATCH_OPTIONS = [...SUBSCRIBE_OPTIONS, "initial"];
const HISTORY_OPTIONS = ["last", "since", "signal", "onGap"];
const WAIT_OPTIONS = ["signal", "onState", "until", "value", "since", "any", "timeoutMs"];

/** Where to begin; `"initial"`: with what is there. @throws BlackboardError `usage` */
export function watchStartOf(options: WatchOptions): Start | "initial" | null {
  refuseUnknown(options, WATCH_OPTIONS);
  const { initial = false, ...others } = options;
  if (!initial) return startOf(others);
  if (others.last === undefined && others.since === undefined) return "initial";
  throw usageError("initial cannot go together with last or since");
}

/** @throws BlackboardError `usage` */
export function historyStartOf(options: HistoryOptions): Start {
  refuseUnknown(options, HISTORY_OPTIONS);
  return startOf(options) ?? { last: Number.POSITIVE_INFINITY };
}

/** What is waited for. */
export interface Condition {
  readonly until: "present" | "absent" | "changed" | { readonly value: Bytes };
  /** Where changes begin to count; `null`: now. */
  readonly from: Start | null;
  readonly isAnyEnough: boolean;
}

/** @throws BlackboardError `usage` */
export function waitConditionOf(options: WaitForOptions): Condition {
  refuseUnknown(options, WAIT_OPTIONS);
  checkWhole("timeoutMs", options.timeoutMs);
  const { value, since, any = false } = options;
  const until = options.until ?? "present";
  if (!["present", "absent", "changed"].includes(until)) {
    throw usageError('the option until must be "present", "absent" or "changed"');
  }
  if (value !== undefined && options.until !== undefined)
    throw usageError("value and until cannot go together");
  if (since !== undefined && until !== "changed") throw usageError('since is about until: "changed"');
  return {
    until: value === undefined ? until : { value: toBytes(value) },
    from: since === undefined ? null : sinceOf(since),
    isAnyEnough: any,
  };
}
