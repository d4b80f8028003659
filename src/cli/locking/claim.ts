/** What is said on the command line of a lock that is wanted. */
import type { Blackboard } from "../../blackboard.ts";
import { setAlarm } from "../../core/alarm.ts";
import type { LockOptions } from "../../core/lock-options.ts";
import { describeHolders } from "../../core/locks.ts";
import type { FollowState } from "../../core/types.ts";
import type { Context, Option } from "../command.ts";
import { describeReturn, describeState } from "../following/telling.ts";
import { MESSAGES } from "../following/words.ts";
import type { Given } from "../given.ts";
import { waitMsOf } from "../options.ts";

/** Who says `--wait 0` wants to be told that the time is over (exit 3), not that the lock is held (exit 5). */
const LEAST_WAIT_MS = 1;

/** @param ttl what `--ttl` is about, and its default */
export function claimOptions(ttl: string): readonly Option[] {
  return [
    { flags: "--ttl <duration>", about: ttl },
    {
      flags: "--wait <duration>",
      about: "exit 3 if it cannot be had by then; default: wait as long as it takes",
    },
    { flags: "--no-wait", about: "exit 5 if it cannot be had at once" },
    {
      flags: "--slots <n>",
      about: "how many may hold it at once; all who ask should say the same (default: 1)",
    },
  ];
}

/** @throws BlackboardError `usage` */
export function claimOf(context: Context, given: Given): LockOptions {
  const ttlMs = given.duration("ttl");
  const slots = given.count("slots", 1);
  const waitMs = waitMsOf(given);
  const timeoutMs = given.negated("wait")
    ? 0
    : waitMs === undefined
      ? undefined
      : Math.max(waitMs, LEAST_WAIT_MS);
  return {
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(slots === undefined ? {} : { slots }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    signal: context.signal,
    onState: (state) => context.notice(describe(state)),
  };
}

/** Nothing is read while a lock is waited for, so nothing is recovered. */
function describe(state: FollowState): string {
  return state.state === "back" ? describeReturn(state.awayMs) : describeState(state, MESSAGES);
}

/** Does something that may wait for a lock; says once, after a while, for whom. */
export async function sayingWhoHolds<Result>(
  context: Context,
  board: Blackboard,
  name: string,
  work: () => Promise<Result>,
): Promise<Result> {
  let isWaiting = true;
  const tell = async () => {
    const facts = await board.locks.show(name).catch(() => null); // a store that is away is told of elsewhere
    if (facts !== null && isWaiting) context.notice(`waiting: the lock ${name} is ${describeHolders(facts)}`);
  };
  const callOff = setAlarm(context.loaded.settings.timeoutMs, () => void tell());
  return work().finally(() => {
    isWaiting = false;
    callOff();
  });
}
