/** Every command, in the order of the help. Adding one takes its file and its line here. */
import type { Command } from "../command.ts";

export const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["get", async () => (await import("./get.ts")).get],
  ["set", async () => (await import("./set.ts")).set],
  ["del", async () => (await import("./del.ts")).del],
  ["exists", async () => (await import("./exists.ts")).exists],
  ["keys", async () => (await import("./keys.ts")).keys],
  ["ttl", async () => (await import("./ttl.ts")).ttl],
  ["expire", async () => (await import("./expire.ts")).expire],
  ["persist", async () => (await import("./persist.ts")).persist],
  ["take", async () => (await import("./take.ts")).take],
  ["incr", async () => (await import("./incr.ts")).incr],
  ["publish", async () => (await import("./publish.ts")).publish],
  ["subscribe", async () => (await import("./subscribe.ts")).subscribe],
  ["watch", async () => (await import("./watch.ts")).watch],
  ["wait", async () => (await import("./wait.ts")).wait],
  ["lock run", async () => (await import("./lock-run.ts")).lockRun],
  ["lock acquire", async () => (await import("./lock-acquire.ts")).lockAcquire],
  ["lock refresh", async () => (await import("./lock-refresh.ts")).lockRefresh],
  ["lock release", async () => (await import("./lock-release.ts")).lockRelease],
  ["lock show", async () => (await import("./lock-show.ts")).lockShow],
  ["lock list", async () => (await import("./lock-list.ts")).lockList],
  ["history", async () => (await import("./history.ts")).history],
  ["consumers", async () => (await import("./consumers.ts")).consumers],
  ["clear", async () => (await import("./clear.ts")).clear],
  ["channels", async () => (await import("./channels.ts")).channels],
  ["batch", async () => (await import("./batch.ts")).batch],
  ["shell-init", async () => (await import("./shell-init.ts")).shellInit],
  ["status", async () => (await import("./status.ts")).status],
]);

/** Commands of two words: the first, and what they have in common. */
export const GROUPS: ReadonlyMap<string, string> = new Map([
  [
    "lock",
    "A lock is a name that one may hold at a time (with --slots: so many), for a time to live that can be begun anew. Who has to wait is served in order. " +
      "Each grant has a number that only grows, its fence, so that what comes too late can be refused: set --fence. Locks are not reentrant.",
  ],
]);
