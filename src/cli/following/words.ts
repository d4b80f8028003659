/** What is followed, for the texts that are alike for both kinds. */

export interface Words {
  readonly entry: "message" | "change";
  /** What it has a name of. */
  readonly place: "channel" | "key";
}

export const MESSAGES: Words = { entry: "message", place: "channel" };
export const CHANGES: Words = { entry: "change", place: "key" };

/** `1 change`, `2 changes`. */
export function counted(count: number, { entry }: Words): string {
  return count === 1 ? `1 ${entry}` : `${count} ${entry}s`;
}
