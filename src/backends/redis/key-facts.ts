/** What the scripts tell of a key, in the words of the contract. */
import { numberToId, numberToMs } from "../../core/ids.ts";
import type { KeyFacts, Provenance, Reading } from "../../core/types.ts";
import { asBytes, asList, asNumber, asText, type Reply } from "./replies.ts";

/** @param now by the server's clock, in milliseconds */
export function toFacts(key: string, reply: Reply, now: number): KeyFacts | null {
  if (reply === null) return null;
  const [ttl, size, number, author] = asList(reply);
  const written = provenance(number, author);
  const left = asNumber(ttl);
  return {
    key,
    id: written.at === null ? null : numberToId(asNumber(number)),
    ttlMs: left < 0 ? null : Math.max(left, 1),
    size: size === undefined || size === null ? null : asNumber(size),
    ageMs: written.at === null ? null : Math.max(now - written.at, 0), // ids may run ahead of the clock
    ...written,
  };
}

export function toReading(key: string, reply: Reply, now: number): Reading | null {
  const facts = toFacts(key, reply, now);
  const value = reply === null ? null : asList(reply)[4];
  return facts && { ...facts, value: value === undefined || value === null ? null : asBytes(value) };
}

export function provenance(number: Reply | undefined, author: Reply | undefined): Provenance {
  if (number === undefined || number === null) return { by: null, at: null };
  return { by: asText(author), at: numberToMs(asNumber(number)) };
}
