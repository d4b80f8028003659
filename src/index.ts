/** The library: `import { openBlackboard } from "timmy-bb"`. */
export { Blackboard } from "./blackboard.ts";
export type { Capabilities, Follower } from "./core/backend.ts";
export type {
  BoardDefaults,
  ClearOptions,
  ConsumeOptions,
  SetValueOptions,
  SubscribeOptions,
  WaitOptions,
} from "./core/board-options.ts";
export { Consumer } from "./core/consumer.ts";
export { BlackboardError, type ErrorKind } from "./core/errors.ts";
export type { MessageListener } from "./core/listeners.ts";
export type {
  BackendStatus,
  ChannelFacts,
  ConsumerChannel,
  ConsumerFacts,
  Failure,
  FollowState,
  Gap,
  KeyFacts,
  Message,
  Provenance,
  PublishResult,
  SetResult,
  StoreName,
  StoreStatus,
  TtlMs,
  WorkerFacts,
} from "./core/types.ts";
export type { Value } from "./core/values.ts";
export type { Delivery } from "./core/worker.ts";
export { getBlackboard, type OpenOptions, openBlackboard } from "./open.ts";
