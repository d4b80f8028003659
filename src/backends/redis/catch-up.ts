/**
 * Catching up: from where a follower is, through the logs, to what its subscription delivers. For a replay, after a
 * lost connection and after falling behind alike.
 */
import type { History, Moment } from "./history.ts";
import type { Intake } from "./intake.ts";

/**
 * Hands on everything up to the moment, as the loop takes it; returns how many entries of the log that were. What was
 * delivered meanwhile, with a lesser number, must have arrived: most of it is in the logs too, but not all.
 */
export async function catchUp(
  history: History,
  intake: Intake,
  moment: Moment,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  for await (const entry of history.entries(moment, intake.progress.last, signal)) {
    await intake.handOnHeld(entry.number, signal);
    if (await intake.handOn(entry, signal)) count++;
  }
  await intake.handOnHeld(moment.upTo + 1, signal);
  intake.finish(moment.upTo);
  return count;
}
