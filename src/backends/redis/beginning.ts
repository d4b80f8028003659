/** Where a follower begins. */
import { msToNumber } from "../../core/ids.ts";
import type { Start } from "../../core/types.ts";
import type { History, Moment } from "./history.ts";

/** The moment of the first session, with the clock as it was when the follower was asked for. */
export interface Beginning extends Moment {
  /** Reading begins no later than here: who waited for the first session has asked for what was sent meanwhile. */
  readonly latest: number;
}

/** @param begunAt when the follower was asked for, by our own clock */
export function beginAt(moment: Moment, begunAt: number, hasWaited: boolean): Beginning {
  const clock = moment.clock - numberSince(begunAt);
  return { ...moment, clock, latest: hasWaited ? clock : Infinity };
}

/** Behind which number to read, and up to which number what was dropped is not asked for. */
export async function locate(
  from: Start | null,
  { latest, ...moment }: Beginning,
  history: History,
  signal: AbortSignal,
): Promise<{ readonly position: number; readonly asked: number }> {
  const position = from === null ? moment.upTo : await history.locate(from, moment, signal);
  const asked = from !== null && "last" in from ? moment.upTo : position;
  return { position: Math.min(position, latest), asked: Math.min(asked, latest) };
}

/** How far ids have come since a moment of our own clock. */
export function numberSince(moment: number): number {
  return msToNumber(Math.ceil(performance.now() - moment));
}
