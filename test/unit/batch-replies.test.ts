/** What a batch says of the commands it has not begun. */
import { expect, test } from "vitest";
import { notBegun } from "../../src/cli/batch/replies.ts";
import { BlackboardError } from "../../src/core/errors.ts";

test("what was not begun has not happened, even where the one before may have", () => {
  const lost = new BlackboardError("unknown", "the connection was lost", { hint: "it may have happened" });
  const error = notBegun(lost);
  expect([error.kind, error.message, error.hint]).toEqual([
    "unavailable",
    "not begun: the connection was lost",
    undefined,
  ]);
});

test("what may be done about the first is to be done about the rest", () => {
  const refused = new BlackboardError("unavailable", "nobody answers", { hint: "is the server running?" });
  expect([notBegun(refused).kind, notBegun(refused).hint]).toEqual(["unavailable", "is the server running?"]);
});
