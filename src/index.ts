/** The library: `import { openBlackboard } from "timmy-bb"`. */
export { Blackboard } from "./blackboard.ts";
export type { Capabilities, Follower } from "./core/backend.ts";
export type {
  BoardDefaults,
  ClearOptions,
  ConsumeOptions,
  ListOptions,
  SetValueOptions,
  SubscribeOptions,
  WaitOptions,
} from "./core/board-options.ts";
export type { Conditional, Fence, Rival, SetResult } from "./core/conditional.ts";
export { Consumer } from "./core/consumer.ts";
export { BlackboardError, type ErrorKind } from "./core/errors.ts";
export type { KeysWanted } from "./core/following.ts";
export type { Held, HeldEnd } from "./core/held.ts";
export type { MessageListener } from "./core/listeners.ts";
export type { Claimant, Holder, LockFacts } from "./core/lock.ts";
export type { AcquireOptions, LockOptions } from "./core/lock-options.ts";
export type { Acquired, Locks } from "./core/locks.ts";
export type { TakeOptions } from "./core/taking.ts";
export type {
  BackendStatus,
  Change,
  ChangeEvent,
  ChannelFacts,
  ConsumerChannel,
  ConsumerFacts,
  Entry,
  Failure,
  FollowState,
  Gap,
  KeyFacts,
  Message,
  Provenance,
  PublishResult,
  Reading,
  StoreName,
  StoreStatus,
  Taken,
  TtlMs,
  WorkerFacts,
} from "./core/types.ts";
export type { Value } from "./core/values.ts";
export type { Found } from "./core/waiting.ts";
export type { HistoryOptions, WaitForOptions, WatchOptions } from "./core/watch-options.ts";
export type { Delivery } from "./core/worker.ts";
export { getBlackboard, type OpenOptions, openBlackboard } from "./open.ts";
