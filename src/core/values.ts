/** What programs hand in, as the bytes and numbers the stores take. */
import { usageError } from "./errors.ts";
import { stableJson } from "./json.ts";
import type { TtlMs } from "./types.ts";

/**
 * What may be stored or sent: a string (its UTF-8), bytes (as they are: any typed array, `DataView`, `ArrayBuffer`),
 * or anything else that JSON can hold, which is stored as JSON with sorted keys.
 */
export type Value = string | Uint8Array | number | boolean | null | object;

/** 100 years, as for every duration: far from where Redis's own arithmetic overflows. */
const MAX_TTL_MS = 100 * 365 * 86_400_000;

/** Shorter bytes are copied (0.1 µs and more): a caller may use his buffer again at once, though they leave later. */
const LARGE = 65_536;

/** @throws BlackboardError `usage` for what neither UTF-8 nor JSON can hold */
export function toBytes(value: Value): Uint8Array {
  if (value instanceof ArrayBuffer) return ownIfShort(new Uint8Array(value));
  if (ArrayBuffer.isView(value))
    return ownIfShort(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  const text = typeof value === "string" ? value : stableJson(value);
  if (!text.isWellFormed()) throw usageError("the value is not valid text (a lone surrogate)");
  return Buffer.from(text, "utf8");
}

function ownIfShort(bytes: Uint8Array): Uint8Array {
  return bytes.length > LARGE ? bytes : Buffer.from(bytes);
}

/** @throws BlackboardError `usage` unless it is a whole number of milliseconds, `null` or `"keep"` */
export function checkTtl(ttlMs: TtlMs): TtlMs {
  if (ttlMs === null || ttlMs === "keep") return ttlMs;
  if (Number.isSafeInteger(ttlMs) && ttlMs >= 1 && ttlMs <= MAX_TTL_MS) return ttlMs;
  throw usageError("the time to live must be a whole number of milliseconds, from 1 to 100 years");
}

/** @throws BlackboardError `usage` unless it is a whole number that 64 bits hold */
export function checkIncrement(by: number | bigint): bigint {
  if (typeof by === "number" && !Number.isSafeInteger(by))
    throw usageError("the increment must be a whole number");
  const number = BigInt(by);
  if (BigInt.asIntN(64, number) === number) return number;
  throw usageError("the increment does not fit in 64 bits");
}
