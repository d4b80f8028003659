/** Waiting for something to become true: polled, with a deadline and a sentence for when it does not. */
import { setTimeout as pause } from "node:timers/promises";

/** How long between two looks, unless the look itself takes long: soon at first, for looks take from what is looked at. */
const FIRST_POLL_MS = 2;
const LONGEST_POLL_MS = 25;

/** Two cores and much else going on: a deadline only says that something hangs. */
const DEADLINE_MS = 20_000;

/** The first truthy answer of `look`, or an error naming what was waited for. */
export async function until<Answer>(
  what: string,
  look: () => Answer | Promise<Answer>,
  deadlineMs = DEADLINE_MS,
): Promise<NonNullable<Answer>> {
  const end = performance.now() + deadlineMs;
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, LONGEST_POLL_MS)) {
    const answer = await look();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain: ${what}`);
    await pause(pollMs);
  }
}

/** A promise's value, or an error if it does not settle in time. */
export async function within<Value>(what: string, promise: Promise<Value>, ms = DEADLINE_MS): Promise<Value> {
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
