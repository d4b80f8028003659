/** Listing keys: SCAN, each key once, nothing of our own. */
import { compileGlob, escapeGlob, literalPrefix } from "../../core/glob.ts";
import { decodeName } from "../../core/names.ts";
import type { Deadline } from "./deadline.ts";
import { isOwn } from "./layout.ts";
import type { Link } from "./link.ts";
import { asBytes, asList, asText } from "./replies.ts";

/** Slots a SCAN step looks at: 1,000,000 keys take 2 s in steps of 2,000 and 24 s in Redis's own steps of 10. */
const SCAN_COUNT = 2000;
/** Stars a server may be asked to match; more of them cost old servers exponential time, and newer ones give up. */
const MAX_STARS = 8;

/** The matching keys, in batches. Each step has the store's bound. */
export async function* scanKeys(
  link: Link,
  pattern: string,
): AsyncGenerator<readonly string[], void, undefined> {
  for await (const batch of scanSteps(link, pattern)) if (batch.length > 0) yield batch;
}

/**
 * The same with empty batches, so that whoever wants to stop can do so between any two steps.
 * @param deadline the bound of all steps together; else each has the store's
 */
export async function* scanSteps(
  link: Link,
  pattern: string,
  deadline?: Deadline,
): AsyncGenerator<readonly string[], void, undefined> {
  const seen = new Set<string>();
  const matches = compileGlob(pattern);
  const asked = serverPattern(pattern);
  let cursor = "0";
  do {
    const scan = ["scan", cursor, "match", asked, "count", SCAN_COUNT] as const;
    const step = asList(await link.run("read", (connection) => connection.call(...scan), deadline));
    cursor = asText(step[0]);
    const names = asList(step[1]).map(asBytes).filter(matches).map(decodeName);
    yield names.filter((name) => !isOwn(name) && !seen.has(name) && seen.add(name));
  } while (cursor !== "0");
}

/** Narrower than everything, wider than or equal to the pattern. */
function serverPattern(pattern: string): string {
  if (pattern.split("*").length - 1 <= MAX_STARS) return pattern;
  const literal = decodeName(literalPrefix(pattern));
  return `${escapeGlob(literal)}*`;
}
