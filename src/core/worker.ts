/**
 * The contract of a consumer's workers. A consumer is a name with a position in each channel, kept in the store;
 * workers of one name, in any processes, share its messages.
 *
 * Each message is handed to one worker, which holds it until it is acknowledged (`ack`), passed on to `CHANNEL:failed` (`giveUp`) or
 * given back (`release`). While its process runs, a worker keeps what it holds. If it does not renew for `ackTimeoutMs`
 * (it was killed or stopped, or cannot reach the store), other workers take over what it held: so a message is handled
 * at least once, and more than once only then. What the store is told of a message (`ack`, `retry`, `giveUp`, `release`)
 * waits for a store that is away; `close` ends the waiting. What foreign clients do is in no log and reaches no worker.
 *
 * What is said of messages and channels holds for changes, too: all changes of keys are one channel, of which a worker is handed those it
 * selects; the others count as done.
 */
import { BlackboardError } from "./errors.ts";
import type { AnySelection, Entry, FollowState, Gap, Message } from "./types.ts";

export interface WorkerOptions {
  /** Where a new consumer begins; one that is known goes on where it is. */
  readonly begin: "start" | "now";
  /** How long a worker may show no life before others take over what it holds. */
  readonly ackTimeoutMs: number;
  /** Who works; part of the worker's name, and the author of what is passed on to `CHANNEL:failed`. */
  readonly agent: string;
  readonly onState: (state: FollowState) => void;
}

/** A message, or a change, that one worker holds. */
export interface Delivery<Item extends Entry = Message> {
  readonly entry: Item;
  /** How often it was handed to a worker, or tried again by one, this time included: 1, 2, … */
  readonly attempt: number;
}

export interface Worker<Item extends Entry = Message> {
  /**
   * Up to `most` messages for this worker alone, those of one channel in the order of its log, each channel's oldest first; what
   * was taken over from others comes before what is new. Waits, over absences of the store too, until there is one;
   * nothing once it is closed or `signal` is aborted.
   *
   * A worker that came when the consumer had no living one begins with what its predecessors hold: until that is taken over,
   * acknowledged or given back, it is handed nothing newer of that channel, and `onState` tells that it is `waiting`.
   * This ends, for good, in a channel where nobody else holds anything, and everywhere once another worker is there.
   *
   * A `Gap` stands before the first message behind it, or for a message taken over that retention has dropped meanwhile; one of changes
   * may come alone, for what is behind it need not be selected. One call at a time.
   * @throws BlackboardError `conflict` if the consumer was deleted
   */
  take(most: number, signal: AbortSignal): Promise<ReadonlyArray<Delivery<Item> | Gap>>;

  /** It is done: nobody gets it again. `close` ends the waiting with `unknown`. */
  ack(delivery: Delivery<Item>): Promise<void>;

  /** The same message once more, as the next attempt; `null` if another worker has taken it over. */
  retry(delivery: Delivery<Item>): Promise<Delivery<Item> | null>;

  /**
   * Sends the message, byte for byte and with its `Failure`, to `CHANNEL:failed` and acknowledges it, in one step. False, and nothing
   * is done, if another worker has taken it over. Of a change its value is sent (nothing, if it is not at hand), to `KEY:failed`.
   */
  giveUp(delivery: Delivery<Item>, reason: string): Promise<boolean>;

  /** Gives it back: the next to ask has it at once, and this attempt does not count. */
  release(delivery: Delivery<Item>): Promise<void>;

  /** Gives back what it holds and leaves. Safe to call twice. */
  close(): Promise<void>;
}

/** @throws BlackboardError `config` if nothing is kept of what is selected: a consumer is a place among it */
export function checkKept(
  selection: AnySelection,
  history: { readonly messagesPerChannel: number; readonly changes: number },
): void {
  const [kept, what, setting] =
    "keys" in selection
      ? [history.changes, "changes", "changes"]
      : [history.messagesPerChannel, "messages", "messages_per_channel"];
  if (kept > 0) return;
  throw new BlackboardError("config", `a consumer needs ${what} that are kept, and none are`, {
    hint: `set blackboard.history.${setting} to more than 0`,
  });
}

/** A worker may not join, or not go on. */
export function watchesOtherKeys(consumer: string): BlackboardError {
  return new BlackboardError("conflict", `the consumer ${consumer} watches other keys`, {
    hint: "choose another name, or end its workers first",
  });
}

/** @param wanted of another kind than the consumer is */
export function isOfOtherKind(consumer: string, wanted: AnySelection): BlackboardError {
  const what = "keys" in wanted ? "follows messages" : "watches keys";
  return new BlackboardError("conflict", `the consumer ${consumer} ${what}`, {
    hint: "choose another name, or delete it",
  });
}

/** Where messages go that a consumer gave up; for a change, the name is the key's. */
export function failedChannelOf(name: string): string {
  return `${name}:failed`;
}
