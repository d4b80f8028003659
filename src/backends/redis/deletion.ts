/** Deleting keys, some at a time. */
import type { DelOptions } from "../../core/backend.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { BoardScripts } from "./board-scripts.ts";
import { chunks, KEYS_A_SCRIPT } from "./chunks.ts";
import type { Deadline } from "./deadline.ts";
import { DELETE } from "./removal-scripts.ts";
import { asNumber } from "./replies.ts";

/** How many there were. */
export async function deleteKeys(
  scripts: BoardScripts,
  keys: readonly string[],
  { agent, unwrittenForMs }: DelOptions,
  deadline: Deadline,
): Promise<number> {
  let deleted = 0;
  for (const some of chunks([...new Set(keys)], KEYS_A_SCRIPT)) {
    const run = { effect: "write", agent, keys: some, args: [unwrittenForMs ?? ""], deadline } as const;
    const reply = await scripts.book(DELETE, run).catch((error: unknown) => throwAfter(deleted, error));
    deleted += asNumber(reply);
  }
  return deleted;
}

/** Once some are gone, "nothing was changed" would be a lie, and falling back to another store a fault. */
function throwAfter(deleted: number, error: unknown): never {
  if (deleted === 0 || !(error instanceof BlackboardError) || error.kind !== "unavailable") throw error;
  throw new BlackboardError("unknown", `${error.message}, after ${deleted} keys were deleted`);
}
