/** Calls of the library that make no sense; where one hands in a value, that is `secret`. */
import type { Blackboard } from "../../src/index.ts";
import { library } from "../helpers/library.ts";
import type { BoardSettings, Misuse } from "./driver.ts";
import { asked } from "./library-asked.ts";

/** What a program without types can hand in. */
export function misusesOf(board: Blackboard, settings: BoardSettings): Misuse[] {
  const loose = board as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
  const call = (name: string, ...args: readonly unknown[]): Misuse => ({
    what: `${name}(${args.map((arg) => typeof arg).join(", ")})`,
    call: () => asked((async () => loose[name]?.(...args))()),
  });
  const open = (options: object): Misuse => ({
    what: `open with ${Object.keys(options)}`,
    call: () => asked(library.openBlackboard({ config: settings.place.config, ...options })),
  });
  return [
    call("get"),
    call("get", 5),
    call("set", null, "secret"),
    call("set", "key", undefined),
    call("set", "key", () => "secret"),
    call("set", "key", "secret", { ttlMs: "soon" }),
    call("set", "key", "secret", { ttlMs: 1.5 }),
    call("set", "key", "secret", { fence: 5 }),
    call("set", "key", "secret", { fence: { lock: "lock" } }),
    call("set", "key", "secret", { if: "absent", ifValue: "secret" }),
    call("deleteIf", "key"),
    call("take", []),
    call("take", "key", { timeoutMs: "soon" }),
    call("lock", "lock", { ttlMs: 1 }),
    call("lock", "lock", { slot: 2 }),
    call("expire", "key", Number.NaN),
    call("del", [undefined]),
    call("incr", "key", 1.5),
    call("incr", "key", Number.MAX_SAFE_INTEGER + 1),
    call("publish", "channel", undefined),
    call("publish", undefined, "secret"),
    call("subscribe", []),
    call("subscribe", "channel", { last: -1 }),
    call("subscribe", "channel", { last: 1, since: 1 }),
    call("subscribe", "channel", { since: "secret" }),
    call("subscribe", "channel", { since: new Date("secret") }),
    call("subscribe", "channel", { live: false }),
    call("subscribe", "channel", { lsat: 5 }),
    call("consume", "channel", {}),
    call("consume", "channel", { consumer: "" }),
    call("consume", "channel", { consumer: "c", begin: "secret" }),
    call("consume", "channel", { consumer: "c", ackTimeoutMs: 0 }),
    call("consume", "channel", { consumer: "c", retries: -1 }),
    call("watch", []),
    call("watch", "key", { last: 1, initial: true }),
    call("watch", "key", { since: 1, initial: true }),
    call("watch", "key", { live: false }),
    call("watch", "key", { since: "secret" }),
    call("watch", "key", { intial: true }),
    call("wait", []),
    call("wait", "key", { until: "secret" }),
    call("wait", "key", { until: "present", value: "secret" }),
    call("wait", "key", { since: 1 }),
    call("wait", "key", { timeoutMs: -1 }),
    call("wait", "key", { timeout: 1 }),
    call("history"),
    call("history", "key", { last: 1, since: 1 }),
    call("history", "key", { live: true }),
    call("consume", { keys: [] }, { consumer: "c" }),
    call("deleteConsumer"),
    call("channels", ""),
    open({ backend: "secret" }),
    open({ backend: settings.place.store, prefix: "a\nb", dataDir: settings.place.dataDir ?? "/nowhere" }),
    open({ backend: "redis", url: "http://secret" }),
    open({ timeoutMs: -1 }),
    open({ ttlSeconds: "soon" }),
  ];
}
