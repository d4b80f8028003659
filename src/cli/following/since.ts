/** `--since`: an id, how long ago, or a date with or without a time of day. */
import { parseDuration } from "../../core/duration.ts";
import { usageError } from "../../core/errors.ts";
import { idToNumber } from "../../core/ids.ts";

const DURATION = /^(\d+(\.\d+)?(ms|d|h|m|s)?)+$/;
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?$/;
const MONTH = /^\d{4}-\d\d$/;

/** As `SubscribeOptions` have it. @throws BlackboardError `usage` */
export function parseSince(text: string): string | number | Date {
  if (DURATION.test(text)) return parseDuration("--since", text);
  const date = dateIn(text);
  if (date !== null) return date;
  if (idToNumber(text) !== null && !MONTH.test(text)) return text;
  throw usageError(
    "--since: neither an id, nor a duration, nor a time",
    "write an id like 1763800000000-0, how long ago (10m, 2h, 1d), or 2026-11-22 or 2026-11-22T14:00:00Z",
  );
}

/** Without a zone it is local time; JavaScript alone would read a bare date as UTC, and 31 February as 3 March. */
function dateIn(text: string): Date | null {
  const [, day, time = "00:00", zone = ""] = DATE.exec(text) ?? [];
  if (day === undefined) return null;
  const isReal = new Date(`${day}T00:00Z`).toJSON()?.startsWith(day) ?? false;
  const date = new Date(`${day}T${time.replace(",", ".")}${zone.replace(/(\d\d)(\d\d)$/, "$1:$2")}`);
  return isReal && !Number.isNaN(date.getTime()) ? date : null;
}
