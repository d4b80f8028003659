/** Durations as people write them: `250ms`, `90s`, `5m`, `1h30m`, `2d`; a bare number is seconds. */
import { usageError } from "./errors.ts";

const UNITS: ReadonlyArray<readonly [name: string, ms: number]> = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];
const PART = /(\d+(?:\.\d+)?)(ms|d|h|m|s)/gy;
/** 100 years: beyond any sane use, and far from where a store's own arithmetic overflows. */
const MAX_MS = 100 * 365 * 86_400_000;

/**
 * A duration in milliseconds, at least 1.
 * @param what names the setting or option in the message
 * @throws BlackboardError `usage` for anything that is not a duration, is zero, or is over 100 years
 */
export function parseDuration(what: string, text: string): number {
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : sumOfParts(text);
  if (ms === null) {
    throw usageError(`${what}: "${printable(text)}" is not a duration`, "write 250ms, 90s, 5m, 1h30m or 2d");
  }
  if (ms < 1) throw usageError(`${what}: must be longer than nothing`);
  if (ms > MAX_MS) throw usageError(`${what}: must be at most 100 years`);
  return Math.round(ms);
}

/** Exactly, in a form `parseDuration` reads: `1h30m`, `1s500ms`, `0s`. */
export function formatDuration(ms: number): string {
  return inUnits(Math.round(ms), UNITS.length);
}

/** For people, about: whole seconds at most, the two largest units: `1h30m`, `59s`, `250ms`. */
export function formatAge(ms: number): string {
  if (ms < 1000) return formatDuration(Math.max(0, ms));
  return inUnits(Math.floor(ms / 1000) * 1000, 2);
}

/** @param most so many units, the largest */
function inUnits(ms: number, most: number): string {
  let [left, text, parts] = [ms, "", 0];
  for (const [name, unit] of UNITS) {
    const count = Math.floor(left / unit);
    if (!(count > 0) || parts === most) continue; // NaN is not
    left -= count * unit;
    text += `${count}${name}`;
    parts++;
  }
  return text === "" ? "0s" : text;
}

/** Each unit at most once, largest first, so that `1m5m` is the typing error it looks like. */
function sumOfParts(text: string): number | null {
  let sum = 0;
  let lastUnit = -1;
  let end = 0;
  for (const part of text.matchAll(PART)) {
    const unit = UNITS.findIndex(([name]) => name === part[2]);
    const ms = UNITS[unit]?.[1];
    if (ms === undefined || unit <= lastUnit) return null;
    sum += Number(part[1]) * ms;
    lastUnit = unit;
    end = part.index + part[0].length;
  }
  return end === text.length && end > 0 ? sum : null;
}

function printable(text: string): string {
  return text.slice(0, 40).replace(/[^\x20-\x7e]/g, "?");
}
