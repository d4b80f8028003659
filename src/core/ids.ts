/**
 * Ids of log entries: `1763800000000-0`, milliseconds since the epoch and a number within the millisecond.
 *
 * In the stores an id is also one number, milliseconds × 1024 + number, which a double holds exactly until the
 * year 2248; SQLite's row ids and Redis's scores are that number. Both stores draw ids from one counter a board:
 * `max(last + 1, now × 1024)`, so they grow strictly whatever the clock does.
 */

/** Ids a millisecond can hold; the 1025th takes the next millisecond's first. */
export const IDS_PER_MS = 1024;

/** `1763800000000-0` → its number; `null` for anything that is not an id. */
export function idToNumber(id: string): number | null {
  const parts = /^(\d{1,13})-(\d{1,4})$/.exec(id);
  if (parts === null) return null;
  const sequence = Number(parts[2]);
  const number = Number(parts[1]) * IDS_PER_MS + sequence;
  return sequence < IDS_PER_MS && Number.isSafeInteger(number) ? number : null;
}

export function numberToId(number: number): string {
  return `${Math.floor(number / IDS_PER_MS)}-${number % IDS_PER_MS}`;
}

/** When an entry was written, in milliseconds since the epoch. */
export function numberToMs(number: number): number {
  return Math.floor(number / IDS_PER_MS);
}

/** The first number of a millisecond. */
export function msToNumber(ms: number): number {
  return ms * IDS_PER_MS;
}
