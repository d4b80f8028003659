import type { Blackboard } from "../../blackboard.ts";
import { parseDuration } from "../../core/duration.ts";
import type { Command } from "../command.ts";
import { IF_VALUE_OPTIONS, ifValueOf, refusedCondition } from "../conditions.ts";
import { jsonName } from "../json.ts";

export const expire: Command = {
  name: "expire",
  summary: "give a key a time to live",
  promise:
    "The key will be gone after the duration, counted from now. Prints nothing. An absent key exits 1. " +
    "With a condition it is done only if the condition holds at that very moment; else, also if the key is absent, it exits 5 and names the present value's author on stderr.",
  args: [
    { usage: "<key>", about: "the key" },
    { usage: "<duration>", about: "250ms, 90s, 5m, 1h30m, 2d; a bare number is seconds" },
  ],
  options: IF_VALUE_OPTIONS,
  examples: [
    {
      about: "renew a lease",
      shell: "timmy-bb set lease me --ttl 10s; timmy-bb expire lease 1h30m; timmy-bb ttl lease",
      prints: "5400\n",
    },
    {
      about: "only if it is still mine",
      shell: "timmy-bb expire lease 2h --if-value me && echo renewed",
      prints: "renewed\n",
    },
  ],
  atOnce: 1000,
  async run(context, given) {
    const key = given.arg("key");
    const ttlMs = parseDuration("duration", given.arg("duration"));
    const value = await ifValueOf(given, context.input);
    const board = await context.board();
    if (value !== undefined) await expireIf(board, key, value, ttlMs);
    else if (!(await board.expire(key, ttlMs))) return { exit: "absent" };
    return { rows: [{ cells: [], json: { ...jsonName("key", key), ttl_ms: ttlMs }, end: "" }] };
  },
};

/** @throws BlackboardError `conflict`; also if the key is absent: whoever renews a lease has lost it either way */
async function expireIf(board: Blackboard, key: string, value: Uint8Array, ttlMs: number): Promise<void> {
  const result = await board.expireIf(key, value, ttlMs);
  if (!result.done) throw refusedCondition("not changed", result);
}
