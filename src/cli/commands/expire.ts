import { parseDuration } from "../../core/duration.ts";
import type { Command } from "../command.ts";
import { jsonName } from "../json.ts";

export const expire: Command = {
  name: "expire",
  summary: "give a key a time to live",
  promise:
    "The key will be gone after the duration, counted from now. Prints nothing. An absent key exits 1.",
  args: [
    { usage: "<key>", about: "the key" },
    { usage: "<duration>", about: "250ms, 90s, 5m, 1h30m, 2d; a bare number is seconds" },
  ],
  options: [],
  examples: [
    {
      about: "renew a lease",
      shell: "timmy-bb set lease me --ttl 10s; timmy-bb expire lease 1h30m; timmy-bb ttl lease",
      prints: "5400\n",
    },
  ],
  async run(context, given) {
    const key = given.arg("key");
    const ttlMs = parseDuration("duration", given.arg("duration"));
    const board = await context.board();
    if (!(await board.expire(key, ttlMs))) return { exit: "absent" };
    return { rows: [{ cells: [], json: { ...jsonName("key", key), ttl_ms: ttlMs }, end: "" }] };
  },
};
