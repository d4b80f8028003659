import { usageError } from "../../core/errors.ts";
import type { Command } from "../command.ts";
import { notHeld, TOKEN_OPTION, tokenOf } from "../locking/token.ts";

export const lockRefresh: Command = {
  name: "lock refresh",
  summary: "begin a lock's time to live anew",
  promise:
    "The lock that the token holds stands for its time to live again, counted from now. Prints nothing. If the token does not hold the lock (any more), it exits 5. What lock run holds it renews itself: inside it there is no other --ttl.",
  args: [{ usage: "<name>", about: "the lock" }],
  options: [TOKEN_OPTION, { flags: "--ttl <duration>", about: "another time to live; default: what it had" }],
  examples: [
    {
      about: "more time for the next step",
      shell:
        "TIMMY_BB_LOCK_TOKEN=$(timmy-bb lock acquire deploy --ttl 1m) && export TIMMY_BB_LOCK_TOKEN && timmy-bb lock refresh deploy --ttl 10m && echo go on; timmy-bb lock release deploy",
      prints: "go on\n",
    },
    {
      about: "too late",
      shell: "TIMMY_BB_LOCK_TOKEN=0123456789abcdef timmy-bb lock refresh deploy || echo $?",
      prints: "5\n",
    },
  ],
  async run(context, given) {
    const name = given.arg("name");
    const token = tokenOf(context, given);
    const ttlMs = given.duration("ttl") ?? null;
    const env = context.environment();
    if (ttlMs !== null && env.TIMMY_BB_LOCK === name && env.TIMMY_BB_LOCK_TOKEN === token)
      throw usageError(`the lock ${name} is renewed by the lock run around this, with its own --ttl`);
    const board = await context.board();
    const refreshed = await board.locks.refresh(name, token, ttlMs);
    if (refreshed === null) throw notHeld(name);
    const { lock, fence, expiresAt } = refreshed;
    return { rows: [{ cells: [], json: { lock, fence, expires_at: expiresAt }, end: "" }] };
  },
};
