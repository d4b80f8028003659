/** The library: `import { openBlackboard } from "timmy-bb"`. */
export {
  Blackboard,
  type BoardDefaults,
  type ClearOptions,
  type MessageListener,
  type SetValueOptions,
  type SubscribeOptions,
} from "./blackboard.ts";
export type { Capabilities, Follower } from "./core/backend.ts";
export { BlackboardError, type ErrorKind } from "./core/errors.ts";
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
