/** The integers `incr` takes: what Redis's `string2ll` takes, no more. */

const DECIMAL = /^(0|-?[1-9][0-9]{0,18})$/;

/** The 64-bit signed integer some bytes spell, or `null`: no `+`, no blanks, no leading zeros, no `-0`. */
export function parseInteger(bytes: Buffer): bigint | null {
  if (bytes.length > 20) return null;
  const text = bytes.toString("latin1");
  if (!DECIMAL.test(text)) return null;
  const integer = BigInt(text);
  return isInt64(integer) ? integer : null;
}

export function isInt64(integer: bigint): boolean {
  return BigInt.asIntN(64, integer) === integer;
}
