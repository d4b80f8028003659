/** Whose a worker is. */
import { randomBytes } from "node:crypto";
import { BlackboardError } from "../../core/errors.ts";
import { writeSelection } from "../../core/selection.ts";
import type { AnySelection } from "../../core/types.ts";
import type { WorkerOptions } from "../../core/worker.ts";

export interface Membership {
  readonly consumer: string;
  /** The worker's name in the groups, its ack timeout in it; see `consumer-library.ts`. */
  readonly member: string;
  readonly selection: AnySelection;
  readonly options: WorkerOptions;
}

export function membershipOf(consumer: string, selection: AnySelection, options: WorkerOptions): Membership {
  const member = `${options.agent}#${randomBytes(4).toString("hex")}:${options.ackTimeoutMs}`;
  return { consumer, member, selection, options };
}

/** The selection as the server keeps it: the same keys and patterns are the same text, in whatever order they were given. */
export function selectionOf({ selection }: Membership): string {
  if ("channels" in selection) return writeSelection(selection);
  return writeSelection({ keys: inOrder(selection.keys), patterns: inOrder(selection.patterns) });
}

/** Why the worker may not join. @param why as the script `JOIN` says it */
export function refusal({ consumer, selection }: Membership, why: string): BlackboardError {
  if (why === "keys") return otherKeys(consumer);
  const what = "keys" in selection ? "follows messages" : "watches keys";
  return new BlackboardError("conflict", `the consumer ${consumer} ${what}`, {
    hint: "choose another name, or delete it",
  });
}

/** Why the worker's consumer is no more. @param selection of another one of its name, without the first brace; or nothing */
export function ending(membership: Membership, selection: string): BlackboardError {
  const { consumer } = membership;
  const isOfOthers = selection !== "" && `{${selection}` !== selectionOf(membership);
  if (isOfOthers && "keys" in membership.selection) return otherKeys(consumer);
  return new BlackboardError("conflict", `the consumer ${consumer} was deleted`);
}

function otherKeys(consumer: string): BlackboardError {
  return new BlackboardError("conflict", `the consumer ${consumer} watches other keys`, {
    hint: "choose another name, or end its workers first",
  });
}

function inOrder(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
