/** Changes made by several writers at once, each in its own name, and known by their ids. */
import type { Change } from "../../src/core/types.ts";
import { until } from "../helpers/until.ts";
import { type Board, Failure, type SetAnswer } from "./driver.ts";
import type { Target } from "./target.ts";
import { compareIds } from "./wording.ts";

/** The same board through the library, as this agent. */
export function writerOf(target: Target, board: Board, agent: string): Promise<Board> {
  return target.aside({ settings: { ...board.settings, agent } });
}

/**
 * So many writers set `key:0`, `key:1`, … at the same time, each so often; what they wrote, as `withId` says it, in the
 * order of the log. A writer whose connection broke tries again, until it knows that it has written.
 */
export async function writeAtOnce(
  target: Target,
  board: Board,
  { writers, each, keys }: { readonly writers: number; readonly each: number; readonly keys: number },
): Promise<string[]> {
  const lanes = Array.from({ length: writers }, async (_, number) => {
    const writer = await writerOf(target, board, `writer ${number}`);
    const written: string[] = [];
    for (let n = 0; n < each; n++) {
      const [key, value] = [`key:${(n * (number + 1)) % keys}`, `${number}.${n}`];
      written.push(`${await setSurely(writer, key, value)} set ${key} ${value}`);
    }
    return written;
  });
  return (await Promise.all(lanes)).flat().sort(byId);
}

/** Sets a key until an answer says that it is set; its id. */
export async function setSurely(writer: Board, key: string, value: string): Promise<string> {
  const answer = await until(`${key} to be set`, () => writer.set(key, value).catch(onlyLost));
  if (answer.written) return answer.id;
  throw new Error("a set without a condition was refused");
}

/** The order of texts that begin with an id. */
export function byId(one: string, other: string): number {
  return compareIds(one.split(" ")[0] ?? "", other.split(" ")[0] ?? "");
}

/** All ids, which are to be there. */
export function idsOf(changes: readonly Change[]): string[] {
  return changes.map(({ id }) => {
    if (id === null) throw new Error("a change without an id");
    return id;
  });
}

function onlyLost(error: unknown): SetAnswer | null {
  if (error instanceof Failure && (error.kind === "unavailable" || error.kind === "unknown")) return null;
  throw error;
}
