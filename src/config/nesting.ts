/**
 * How deep a YAML text is nested, told before anything recursive works on it. A stack that is nearly used up
 * cannot be caught: a regular expression compiled there ends the whole process ("RegExpCompiler Allocation failed").
 */
import type { CST } from "yaml";

/** Level by level, without recursion. */
export function isDeeperThan(limit: number, tokens: readonly CST.Token[]): boolean {
  let level = tokens;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap(childrenOf);
  }
  return false;
}

function childrenOf(token: CST.Token): CST.Token[] {
  if (token.type === "document") return token.value === undefined ? [] : [token.value];
  if (!("items" in token)) return [];
  return token.items.flatMap(({ key, value }) => [key, value]).filter((child) => child != null);
}
