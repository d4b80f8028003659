/** What the server's replies are made of, and how to read them without trusting their shape. */
import { BlackboardError } from "../../core/errors.ts";

/** RESP2, strings as bytes. */
export type Reply = Buffer | number | null | readonly Reply[];

export function asBytes(reply: Reply | undefined): Buffer {
  return Buffer.isBuffer(reply) ? reply : unexpected();
}

export function asText(reply: Reply | undefined): string {
  return asBytes(reply).toString("utf8");
}

/** Redis gives integers as such, and numbers of ours as text; both are exact up to 2^53. */
export function asNumber(reply: Reply | undefined): number {
  if (typeof reply === "number") return reply;
  const number = Number(asText(reply));
  return Number.isSafeInteger(number) ? number : unexpected();
}

export function asList(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? reply : unexpected();
}

/** A list of alternating names and values. */
export function asPairs(reply: Reply | undefined): Array<readonly [Reply, Reply]> {
  const list = asList(reply);
  const pairs: Array<readonly [Reply, Reply]> = [];
  for (let at = 0; at + 1 < list.length; at += 2) pairs.push([list[at] ?? null, list[at + 1] ?? null]);
  return pairs;
}

function unexpected(): never {
  throw new BlackboardError("internal", "redis gave an answer of an unexpected shape");
}
