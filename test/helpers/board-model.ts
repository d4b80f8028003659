/**
 * A board of few keys and one lock, as its contract has it and nothing else: what each deed does to it, and what comes of that. Deeds and
 * outcomes are as `history-program.js` writes them.
 */

export type Deed =
  | { readonly do: "get"; readonly key: string }
  | {
      readonly do: "set";
      readonly key: string;
      readonly value: string;
      readonly if?: "absent" | "present";
      readonly ifValue?: string;
      readonly fence?: number;
    }
  | { readonly do: "del"; readonly key: string; readonly ifValue?: string }
  | { readonly do: "incr"; readonly key: string; readonly by: number }
  /** Without a key: the oldest of all. */
  | { readonly do: "take"; readonly key?: string }
  /** Of the lock; what comes of it is the store's to choose. */
  | { readonly do: "grant" };

/** The value, what was taken, whether it was done, or the number of the grant. `null`: nothing was there, or the lock is held. */
export type Outcome = null | boolean | string | number | readonly [key: string, value: string];

/** `undefined`: nobody knows. */
export interface Done {
  readonly deed: Deed;
  readonly outcome?: Outcome;
}

export interface BoardModel {
  /** The one that has been there longest first. */
  readonly entries: ReadonlyArray<readonly [key: string, value: string]>;
  /** Nothing that is known is newer … */
  readonly fence: number;
  /** … and nothing that is not known, either. */
  readonly isFenceNewest: boolean;
}

export const EMPTY_BOARD: BoardModel = { entries: [], fence: 0, isFenceNewest: true };

/** The board after this; `null` if it cannot come of it. */
export function after(board: BoardModel, { deed, outcome }: Done): BoardModel | null {
  if (deed.do === "grant") return granted(board, outcome);
  const [due, next] = perform(board, deed);
  return outcome === undefined || JSON.stringify(outcome) === JSON.stringify(due) ? next : null;
}

function granted(board: BoardModel, fence: Outcome | undefined): BoardModel | null {
  if (fence === undefined) return { ...board, isFenceNewest: false };
  if (fence === null) return board.fence > 0 || !board.isFenceNewest ? board : null;
  return Number(fence) > board.fence ? { ...board, fence: Number(fence), isFenceNewest: true } : null;
}

type Result = readonly [due: Outcome, next: BoardModel];

function perform(board: BoardModel, deed: Exclude<Deed, { do: "grant" }>): Result {
  const present = valueAt(board, deed.key);
  switch (deed.do) {
    case "get":
      return [present, board];
    case "set":
      return isAllowed(board, deed, present)
        ? [true, withValue(board, deed.key, deed.value)]
        : [false, board];
    case "del":
      if (present === null || present !== (deed.ifValue ?? present)) return [false, board];
      return [true, without(board, deed.key)];
    case "incr": {
      const sum = String(Number(present ?? 0) + deed.by);
      return [sum, withValue(board, deed.key, sum)];
    }
    case "take": {
      const oldest = board.entries.find(([key]) => key === (deed.key ?? key));
      return oldest === undefined ? [null, board] : [oldest, without(board, oldest[0])];
    }
  }
}

function isAllowed(
  { fence, isFenceNewest }: BoardModel,
  deed: Extract<Deed, { do: "set" }>,
  present: string | null,
): boolean {
  if (deed.fence !== undefined && (deed.fence !== fence || !isFenceNewest)) return false;
  if (deed.if !== undefined) return (present === null) === (deed.if === "absent");
  return deed.ifValue === undefined || deed.ifValue === present;
}

function valueAt({ entries }: BoardModel, key: string | undefined): string | null {
  return entries.find(([name]) => name === key)?.[1] ?? null;
}

/** Who is written again keeps its place. */
function withValue(board: BoardModel, key: string, value: string): BoardModel {
  const isNew = valueAt(board, key) === null;
  const written = board.entries.map((entry) => (entry[0] === key ? ([key, value] as const) : entry));
  return { ...board, entries: isNew ? [...written, [key, value]] : written };
}

function without(board: BoardModel, key: string): BoardModel {
  return { ...board, entries: board.entries.filter(([name]) => name !== key) };
}
