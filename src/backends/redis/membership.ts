/** Whose a worker is. */
import { randomBytes } from "node:crypto";
import { BlackboardError } from "../../core/errors.ts";
import { writeSelection } from "../../core/selection.ts";
import type { AnySelection } from "../../core/types.ts";
import { isOfOtherKind, type WorkerOptions, watchesOtherKeys } from "../../core/worker.ts";

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

/** Why the worker may not join. @param why as the script `JOIN` says it */
export function refusal({ consumer, selection }: Membership, why: string): BlackboardError {
  return why === "keys" ? watchesOtherKeys(consumer) : isOfOtherKind(consumer, selection);
}

/** Why the worker's consumer is no more. @param selection of another one of its name, without the first brace; or nothing */
export function ending({ consumer, selection: own }: Membership, selection: string): BlackboardError {
  const isOfOthers = selection !== "" && `{${selection}` !== writeSelection(own);
  if (isOfOthers && "keys" in own) return watchesOtherKeys(consumer);
  return new BlackboardError("conflict", `the consumer ${consumer} was deleted`);
}
