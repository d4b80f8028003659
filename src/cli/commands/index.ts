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
  ["incr", async () => (await import("./incr.ts")).incr],
  ["publish", async () => (await import("./publish.ts")).publish],
  ["subscribe", async () => (await import("./subscribe.ts")).subscribe],
  ["watch", async () => (await import("./watch.ts")).watch],
  ["wait", async () => (await import("./wait.ts")).wait],
  ["history", async () => (await import("./history.ts")).history],
  ["consumers", async () => (await import("./consumers.ts")).consumers],
  ["clear", async () => (await import("./clear.ts")).clear],
  ["channels", async () => (await import("./channels.ts")).channels],
  ["status", async () => (await import("./status.ts")).status],
]);
