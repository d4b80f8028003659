/** What the scripts tell of a key, in the words of the contract. */
import type { Conditional, Rival, SetResult } from "../../core/conditional.ts";
import { numberToId, numberToMs } from "../../core/ids.ts";
import { decodeName } from "../../core/names.ts";
import type { KeyFacts, Reading, Taken } from "../../core/types.ts";
import { asBytes, asList, asNumber, asText, type Reply } from "./replies.ts";

/** @param now by the server's clock, in milliseconds */
export function toFacts(key: string, reply: Reply, now: number): KeyFacts | null {
  return reply === null ? null : factsOf(key, asList(reply), now);
}

export function toReading(key: string, reply: Reply, now: number): Reading | null {
  if (reply === null) return null;
  const facts = asList(reply);
  const value = facts[4] ?? null;
  return { ...factsOf(key, facts, now), value: value === null ? null : asBytes(value) };
}

/** What TAKE says of the key that it took. */
export function toTaken([name, now, reply]: readonly Reply[]): Taken {
  const facts = asList(reply);
  return { ...factsOf(decodeName(asBytes(name)), facts, asNumber(now)), value: asBytes(facts[4]) };
}

function factsOf(key: string, [ttl, size, number, author]: readonly Reply[], now: number): KeyFacts {
  const written = writtenBy(now, number, author);
  const left = asNumber(ttl);
  return {
    key,
    id: written.at === null ? null : numberToId(asNumber(number)),
    ttlMs: left < 0 ? null : Math.max(left, 1),
    size: size === undefined || size === null ? null : asNumber(size),
    ...written,
  };
}

/** What SET says that stands in the way. */
export function toRefusal(verdict: number, facts: readonly Reply[]): SetResult {
  return { written: false, because: verdict === 0 ? "condition" : "fence", ...toRival(facts) };
}

/** What a script says that does something only if a key has a certain value. */
export function toConditional(reply: Reply): Conditional {
  const [verdict, ...facts] = asList(reply);
  return verdict === 1 ? { done: true } : { done: false, isAbsent: facts[1] === 0, ...toRival(facts) };
}

function toRival([now, , number, author]: readonly Reply[]): Rival {
  return writtenBy(asNumber(now), number, author);
}

function writtenBy(now: number, number: Reply | undefined, author: Reply | undefined): Rival {
  if (number === undefined || number === null) return { by: null, at: null, ageMs: null };
  const at = numberToMs(asNumber(number));
  return { by: asText(author), at, ageMs: Math.max(now - at, 0) }; // ids may run ahead of the clock
}
