/** A consumer over all of its channels and workers. */
import { idToNumber } from "../core/ids.ts";
import type { ConsumerChannel, ConsumerFacts } from "../core/types.ts";

export interface ConsumerTotals {
  readonly consumer: string;
  /** The newest id handed out; `null` if there is no channel. */
  readonly position: string | null;
  readonly pending: number;
  readonly lag: number;
  /** Living workers. */
  readonly workers: number;
  /** Dead workers that hold messages. */
  readonly dead: number;
}

export function totalsOf({ consumer, channels, workers }: ConsumerFacts): ConsumerTotals {
  const workersAlive = workers.filter(({ isAlive }) => isAlive).length;
  return {
    consumer,
    position: newestOf(channels),
    pending: sum(channels.map((channel) => channel.pending)),
    lag: sum(channels.map((channel) => channel.lag)),
    workers: workersAlive,
    dead: workers.filter((worker) => !worker.isAlive && worker.pending > 0).length,
  };
}

function newestOf(channels: readonly ConsumerChannel[]): string | null {
  const ids = channels.map(({ position }) => position);
  return ids.sort((left, right) => (idToNumber(right) ?? 0) - (idToNumber(left) ?? 0))[0] ?? null;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
