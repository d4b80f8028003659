/** Deleting keys, some at a time. */
import type { DelOptions } from "../../core/backend.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { BoardScripts } from "./board-scripts.ts";
import { inTurn, KEYS_A_SCRIPT } from "./chunks.ts";
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
  const failures = await inTurn([...new Set(keys)], KEYS_A_SCRIPT, async (some) => {
    const run = { effect: "write", agent, keys: some, args: [unwrittenForMs ?? ""], deadline } as const;
    const count = asNumber(await scripts.book(DELETE, run)); // two are under way: `+= await` would forget one
    deleted += count;
  });
  if (failures.length > 0) throw worst(failures, deleted);
  return deleted;
}

/** Once some are gone, or may be, "nothing was changed" would be a lie, and falling back to another store a fault. */
function worst(failures: readonly unknown[], deleted: number): unknown {
  const kindOf = (error: unknown): string => (error instanceof BlackboardError ? error.kind : "internal");
  const error = failures.find((one) => kindOf(one) !== "unavailable") ?? failures[0];
  if (deleted === 0 || !(error instanceof BlackboardError) || error.kind !== "unavailable") return error;
  return new BlackboardError("unknown", `${error.message}, after ${deleted} keys were deleted`);
}
