/** The library: `import { openBlackboard } from "timmy-bb"`. */
export { Blackboard } from "./blackboard.ts";
export type { Capabilities, Follower } from "./core/backend.ts";
export type { BoardDefaults, ClearOptions, SetValueOptions, SubscribeOptions } from "./core/board-options.ts";
export { BlackboardError, type ErrorKind } from "./core/errors.ts";
export type { MessageListener } from "./core/listeners.ts";
export type {
  BackendStatus,
  ChannelFacts,
  FollowState,
  KeyFacts,
  Message,
  Provenance,
  PublishResult,
  SetResult,
  StoreName,
  StoreStatus,
  TtlMs,
} from "./core/types.ts";
export type { Value } from "./core/values.ts";
export { getBlackboard, type OpenOptions, openBlackboard } from "./open.ts";
