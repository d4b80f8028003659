/** What is known of locks, for those who look at them from outside. */
import { numberToMs } from "../../core/ids.ts";
import { type Claimant, type Holder, LOCK_MEMORY_MS, type LockFacts, TURN_MS } from "../../core/lock.ts";
import { decodeName } from "../../core/names.ts";
import type { BoardScripts } from "./board-scripts.ts";
import { readClock } from "./channels.ts";
import { chunks } from "./chunks.ts";
import type { Connection } from "./connection.ts";
import type { Layout } from "./layout.ts";
import type { Link } from "./link.ts";
import { LOCKS } from "./lock-scripts.ts";
import { asBytes, asList, asNumber, asPairs, asText, type Reply } from "./replies.ts";

/** Locks one script looks at. */
const AT_ONCE = 50;
/** A lock that is free and waited for was given back so recently: then its first in line takes it, or the next one. */
const RECENT_MS = 2 * TURN_MS;

/** Those that are held or waited for, all within one bound. */
export async function listLocks(
  link: Link,
  layout: Layout,
  scripts: BoardScripts,
  lock: string | null,
): Promise<readonly LockFacts[]> {
  const deadline = link.deadline();
  const list = (connection: Connection) => recentLocks(connection, layout);
  const names = lock === null ? await link.run("read", list, deadline) : [lock];
  const facts: LockFacts[] = [];
  for (const some of chunks(names, AT_ONCE)) {
    const run = { effect: "read", args: some, deadline } as const;
    const [now, ...replies] = asList(await scripts.run(LOCKS, run));
    facts.push(...some.map((name, at) => toLock(name, asList(replies[at]), asNumber(now))));
  }
  return facts.filter(({ holders, waiting }) => holders.length > 0 || waiting > 0);
}

/** How many are held. */
export async function countLocks(connection: Connection, layout: Layout): Promise<number> {
  const now = numberToMs(await readClock(connection));
  return asNumber(await connection.call("zcount", layout.locks, `(${now + LOCK_MEMORY_MS}`, "+inf"));
}

/** Those held, and all that can be waited for. */
async function recentLocks(connection: Connection, layout: Layout): Promise<readonly string[]> {
  const since = numberToMs(await readClock(connection)) - RECENT_MS;
  const range = [layout.locks, since + LOCK_MEMORY_MS, "+inf"] as const;
  return asList(await connection.call("zrangebyscore", ...range)).map((name) => decodeName(asBytes(name)));
}

function toLock(lock: string, [waiting, ...held]: readonly Reply[], now: number): LockFacts {
  const holders = asPairs(held).flatMap(
    ([ends, grant]) => toHolder(asText(grant), asNumber(ends) - now, now) ?? [],
  );
  return { lock, waiting: asNumber(waiting), holders: holders.sort((one, other) => one.fence - other.fence) };
}

/** `null`: the server has lost it, or somebody else wrote it. That is no reason not to tell of the others. */
function toHolder(grant: string, leftMs: number, now: number): Holder | null {
  const [, number, text = ""] = /^(\d+) \d+ (.*)$/s.exec(grant) ?? [];
  const claimant = readClaimant(text);
  if (claimant === null) return null;
  const fence = Number(number);
  return { fence, ageMs: Math.max(now - numberToMs(fence), 0), leftMs, ...claimant }; // ids may run ahead of the clock
}

export function writeClaimant({ owner, host, pid }: Claimant): string {
  return JSON.stringify({ owner, host, pid });
}

function readClaimant(text: string): Claimant | null {
  try {
    const claimant: unknown = JSON.parse(text);
    return isClaimant(claimant) ? claimant : null;
  } catch {
    return null; // no JSON
  }
}

function isClaimant(value: unknown): value is Claimant {
  if (typeof value !== "object" || value === null) return false;
  const { owner, host, pid } = value as Partial<Record<keyof Claimant, unknown>>;
  return typeof owner === "string" && typeof host === "string" && typeof pid === "number";
}
