/** Listing keys: SCAN, each key once, nothing of our own. */
import { setImmediate as turn } from "node:timers/promises";
import { ahead } from "../../core/ahead.ts";
import type { KeysOptions } from "../../core/backend.ts";
import { compileGlob, escapeGlob, literalPrefix, type Matcher } from "../../core/glob.ts";
import { decodeName } from "../../core/names.ts";
import type { Deadline } from "./deadline.ts";
import { isOwn, type Layout } from "./layout.ts";
import type { Link } from "./link.ts";
import { Pace } from "./pace.ts";
import { asBytes, asList, asNumber, asPairs, asText, type Reply } from "./replies.ts";
import { Seen } from "./seen.ts";

/** Slots a SCAN step looks at, the least and the most: 1,000,000 keys take long in Redis's own steps of 10, and steps of 10,000 hold others up. */
const LEAST_STEP = 200;
const LONGEST_STEP = 1600;
/** Keys in a step through the list of those we wrote: that is read in order, in 0.4 ms, and what they are deleted with is under way meanwhile. */
const KNOWN_STEP = 1600;
/** Stars a server may be asked to match; more of them cost old servers exponential time, and newer ones give up. */
const MAX_STARS = 8;

/**
 * The matching keys, in batches. Each step has the store's bound; the next one is under way while a batch is used. If all keys of the board are
 * to be deleted, those that we have written come first, the oldest first: the head of a sorted set is deleted at once, and for any
 * other place the server must search.
 */
export async function* listKeys(
  link: Link,
  layout: Layout,
  pattern: string,
  { toDelete = false, mayRepeat = false }: KeysOptions,
): AsyncGenerator<readonly string[], void, undefined> {
  const seen = mayRepeat ? null : new Seen();
  if (toDelete && pattern === layout.all) yield* filled(knownSteps(link, layout, pattern, seen));
  yield* filled(scanSteps(link, pattern, { seen }));
}

async function* filled(steps: AsyncIterable<readonly string[]>) {
  for await (const batch of ahead(steps)) if (batch.length > 0) yield batch;
}

interface ScanOptions {
  /** The bound of all steps together; else each has the store's. */
  readonly deadline?: Deadline;
  /** What need not come any more. `null`: all may come again. */
  readonly seen?: Seen | null;
}

/** The matching keys, and empty batches, so that whoever wants to stop can do so between any two steps. */
export async function* scanSteps(
  link: Link,
  pattern: string,
  { deadline, seen = new Seen() }: ScanOptions = {},
): AsyncGenerator<readonly string[], void, undefined> {
  const asked = serverPattern(pattern);
  const matches = asked === pattern ? null : compileGlob(pattern);
  const pace = new Pace(LEAST_STEP, LONGEST_STEP);
  const ask = async (cursor: string) => {
    const scan = ["scan", cursor, "match", asked, "count", pace.size] as const;
    const begun = performance.now();
    const step = asList(await link.run("read", (connection) => connection.call(...scan), deadline));
    pace.took(performance.now() - begun);
    return step;
  };
  for (let next: ReturnType<typeof ask> | null = ask("0"); next !== null; ) {
    const step: readonly Reply[] = await next;
    const cursor = asText(step[0]);
    next = cursor === "0" ? null : ask(cursor);
    next?.catch(() => {}); // thrown when its turn comes
    if (next !== null) await turn(); // it has left: the server looks for more while we look at these
    yield newNames(asList(step[1]), matches, seen);
  }
}

/** The keys in the list of those we wrote, up to the newest write when it began. */
async function* knownSteps(link: Link, layout: Layout, pattern: string, seen: Seen | null) {
  const matches = compileGlob(pattern);
  const upTo = asNumber((await link.command("read", "get", layout.id)) ?? 0);
  for (let after = 0, isAll = false; !isAll; ) {
    const range = [layout.firsts, `(${after}`, upTo, "withscores", "limit", 0, KNOWN_STEP] as const;
    const listed = asPairs(await link.command("read", "zrangebyscore", ...range));
    isAll = listed.length < KNOWN_STEP;
    after = asNumber(listed.at(-1)?.[1] ?? 0);
    yield newNames(
      listed.map(([name]) => name),
      matches,
      seen,
    );
  }
}

function newNames(replies: readonly Reply[], matches: Matcher | null, seen: Seen | null): readonly string[] {
  const names: string[] = [];
  for (const reply of replies) {
    const bytes = asBytes(reply);
    if ((matches !== null && !matches(bytes)) || seen?.add(bytes) === false) continue;
    const name = decodeName(bytes);
    if (!isOwn(name)) names.push(name);
  }
  return names;
}

/** Narrower than everything, wider than or equal to the pattern. */
function serverPattern(pattern: string): string {
  if (pattern.split("*").length - 1 <= MAX_STARS) return pattern;
  const literal = decodeName(literalPrefix(pattern));
  return `${escapeGlob(literal)}*`;
}
