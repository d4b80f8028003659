/** Waiting for something to become true: polled, with a deadline and a sentence for when it does not. */
import { setTimeout as pause } from "node:timers/promises";

/** How long between two looks, unless the look itself takes long. */
const POLL_MS = 5;

/** The first truthy answer of `look`, or an error naming what was waited for. */
export async function until<Answer>(
  what: string,
  look: () => Answer | Promise<Answer>,
  deadlineMs = 10_000,
): Promise<NonNullable<Answer>> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const answer = await look();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain: ${what}`);
    await pause(POLL_MS);
  }
}

/** A promise's value, or an error if it does not settle in time. */
export async function within<Value>(what: string, promise: Promise<Value>, ms = 10_000): Promise<Value> {
  const stop = new AbortController();
  const late = pause(ms, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`not within ${ms} ms: ${what}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
    late.catch(() => {}); // aborted
  }
}
