import type { Command } from "../command.ts";
import { jsonName } from "../json.ts";

export const ttl: Command = {
  name: "ttl",
  summary: "print the seconds a key has left",
  promise:
    "Prints the whole seconds left, rounded up, or -1 if the key does not expire. An absent key exits 1.",
  args: [{ usage: "<key>", about: "the key" }],
  options: [],
  examples: [
    { about: "time left", shell: "timmy-bb set lease me --ttl 5m; timmy-bb ttl lease", prints: "300\n" },
    { about: "none", shell: "timmy-bb set forever yes --no-ttl; timmy-bb ttl forever", prints: "-1\n" },
  ],
  atOnce: 1000,
  async run(context, given) {
    const key = given.arg("key");
    const board = await context.board();
    const ttlMs = await board.ttl(key);
    if (ttlMs === undefined) return { exit: "absent" };
    const seconds = ttlMs === null ? -1 : Math.ceil(ttlMs / 1000);
    return {
      rows: [{ cells: [String(seconds)], json: { ...jsonName("key", key), ttl: seconds, ttl_ms: ttlMs } }],
    };
  },
};
