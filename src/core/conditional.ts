/** What is done only if something holds at that very moment, and what is said if it does not. */
import type { Bytes, Provenance } from "./types.ts";

/** What must be true of a key for a `set` to happen. */
export type Condition =
  | { readonly if: "absent" }
  | { readonly if: "present" }
  | { readonly if: "value"; readonly value: Bytes };

/** The grant of a lock that a `set` is made under: it is refused once that is over and the lock has been granted again. */
export interface Fence {
  readonly lock: string;
  /** The number that came with the grant. */
  readonly fence: number;
}

/** Who stands in the way, and for how long. All `null`: nobody does, or it is not known. */
export interface Rival extends Provenance {
  /** By the store's own clock, in milliseconds. */
  readonly ageMs: number | null;
}

/** What became of a `set`. */
export type SetResult =
  /** Written, as this log entry. */
  | { readonly written: true; readonly id: string }
  /** The condition does not hold; who wrote the present value (`null`s if there is none, or it is foreign). */
  | ({ readonly written: false; readonly because: "condition" } & Rival)
  /** The fence does not stand; who was granted the lock last, and when (`null`s if nothing is known of the lock). */
  | ({ readonly written: false; readonly because: "fence" } & Rival);

/** What became of something that was to happen only if a key had a certain value. */
export type Conditional =
  | { readonly done: true }
  /** The key is absent, or has another value; who wrote that. */
  | ({ readonly done: false; readonly isAbsent: boolean } & Rival);
