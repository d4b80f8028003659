/** Who may join a consumer: it is of messages or of changes for ever, and all of its living workers watch the same keys. */
import { writeSelection } from "../../core/selection.ts";
import type { AnySelection } from "../../core/types.ts";
import { isOfOtherKind, watchesOtherKeys } from "../../core/worker.ts";
import type { Board } from "./board.ts";
import { numberIn, type Row, textIn } from "./cells.ts";
import { compileSelection, readSelection } from "./selection.ts";

const KNOWN = "SELECT id, selection FROM consumers WHERE board = ? AND name = ?";
/** What is not in the log any more stays: whoever takes it over is told of the gap. */
const PENDING = "SELECT n, name FROM pending JOIN log USING (n) WHERE consumer = ?";
const DONE = "DELETE FROM pending WHERE consumer = ? AND n = ?";

/**
 * Part of the transaction in which a worker joins. A consumer without living workers may be given other keys: what they held
 * of those it had, and has no more, is done.
 * @throws BlackboardError `conflict`
 */
export function admit(board: Board, name: string, selection: AnySelection): void {
  const row = board.db.get(KNOWN, board.prefix, name);
  if (row === undefined) return;
  const known = readSelection(textIn(row, "selection"));
  if ("keys" in known !== "keys" in selection) throw isOfOtherKind(name, selection);
  if (!("keys" in selection) || writeSelection(known) === writeSelection(selection)) return;
  const consumer = numberIn(row, "id");
  if (board.registry.live().some(({ worker }) => worker?.consumer === consumer)) throw watchesOtherKeys(name);
  const { hasEntry } = compileSelection(selection);
  const isOver = (pending: Row) => !hasEntry(pending);
  for (const pending of board.db.all(PENDING, consumer).filter(isOver)) {
    board.db.run(DONE, consumer, numberIn(pending, "n"));
  }
}
