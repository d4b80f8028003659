import type { Command } from "../command.ts";
import { notHeld, TOKEN_OPTION, tokenOf } from "../locking/token.ts";

export const lockRelease: Command = {
  name: "lock release",
  summary: "give a lock back",
  promise:
    "Gives back the lock that the token holds; who is next in line gets it. Prints nothing. If the token does not hold the lock (any more), it exits 5, and whoever holds it keeps it.",
  args: [{ usage: "<name>", about: "the lock" }],
  options: [TOKEN_OPTION],
  examples: [
    {
      about: "only the token releases",
      shell:
        "token=$(timmy-bb lock acquire deploy); timmy-bb lock release deploy --token 0123456789abcdef || echo $?; timmy-bb lock release deploy --token $token && echo released",
      prints: "5\nreleased\n",
    },
  ],
  async run(context, given) {
    const name = given.arg("name");
    const token = tokenOf(context, given);
    const board = await context.board();
    if (!(await board.locks.release(name, token))) throw notHeld(name);
    return { rows: [{ cells: [], json: { lock: name }, end: "" }] };
  },
};
