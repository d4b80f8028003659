import type { Blackboard } from "../../blackboard.ts";
import { usageError } from "../../core/errors.ts";
import type { Acquired } from "../../core/locks.ts";
import type { Command, Row } from "../command.ts";
import { claimOf, claimOptions, sayingWhoHolds } from "../locking/claim.ts";
import { checkNotInside } from "../locking/inside.ts";

export const lockAcquire: Command = {
  name: "lock acquire",
  summary: "get a lock to be held across commands, and print its token",
  promise:
    "Waits for the lock and prints its token and one line break: whoever knows that can refresh and release the lock, by TIMMY_BB_LOCK_TOKEN or --token. " +
    "The lock stands for its time to live, and lock refresh begins that anew; nothing renews it by itself, nor is it released when the shell ends: for that there is lock run. " +
    "lock show names the process that called as its holder. Locks are not reentrant: who asks again waits for itself.",
  args: [{ usage: "<name>", about: "the lock" }],
  options: claimOptions("how long it stands unless it is refreshed (default: 5m)"),
  examples: [
    {
      about: "hold a lock over several commands",
      shell:
        "TIMMY_BB_LOCK_TOKEN=$(timmy-bb lock acquire deploy --ttl 1m) && export TIMMY_BB_LOCK_TOKEN && timmy-bb lock refresh deploy; timmy-bb lock release deploy && echo released",
      prints: "released\n",
    },
    {
      about: "leave it to whoever has it",
      shell:
        "timmy-bb lock acquire nightly > token; timmy-bb lock acquire nightly --no-wait || echo somebody is at it",
      prints: "somebody is at it\n",
    },
    {
      about: "or wait a while",
      shell: "timmy-bb lock acquire nightly --wait 200ms || echo $?",
      prints: "3\n",
    },
  ],
  waits: (given) => !given.negated("wait"),
  async run(context, given) {
    const name = given.arg("name");
    const claim = claimOf(context, given);
    if (context.isOutputClosed)
      throw usageError(
        "standard output is closed or nothing, so nobody would get the token",
        "lock run holds a lock while a command runs",
      );
    const board = await context.board();
    context.endsItself(2 * context.loaded.settings.timeoutMs); // to leave the line
    await checkNotInside(board, name, context.environment());
    const options = { ...claim, pid: context.parentPid };
    const acquired = await sayingWhoHolds(context, board, name, () => board.locks.acquire(name, options));
    if (!context.signal.aborted) return { rows: handedOver(board, acquired, context.signal) };
    await board.locks.release(name, acquired.token); // it was told to stop in that very moment
    throw context.signal.reason;
  },
};

/** The token, which nobody else knows: if it cannot be printed, or the exit tells of a signal, the lock is given back. */
async function* handedOver(board: Blackboard, acquired: Acquired, stop: AbortSignal): AsyncGenerator<Row> {
  const { lock, token, fence, expiresAt } = acquired;
  let tell: (isOut: boolean) => void = () => {};
  const isOut = new Promise<boolean>((resolve) => {
    tell = resolve;
  });
  yield { cells: [token], json: { lock, token, fence, expires_at: expiresAt }, written: tell };
  if (!(await isOut) || stop.aborted) await board.locks.release(lock, token);
}
