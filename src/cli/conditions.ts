/** Changes of a key that are made only if something holds: how that is said, and what is said if it does not. */
import type { Fence, Rival } from "../core/conditional.ts";
import { formatAge } from "../core/duration.ts";
import { BlackboardError, usageError } from "../core/errors.ts";
import { encodeName } from "../core/names.ts";
import type { Input, Option } from "./command.ts";
import type { Given } from "./given.ts";

export const IF_VALUE_OPTIONS: readonly Option[] = [
  { flags: "--if-value <value>", about: "only if this is the present value" },
  { flags: "--if-value-file <file>", about: "only if the present value is the bytes of this file" },
];

/** What the present value must be, at once where it is there; `undefined`: anything. */
export function ifValueOf(given: Given, input: Input): Uint8Array | Promise<Uint8Array> | undefined {
  given.exclusive("ifValue", "ifValueFile");
  const file = given.text("ifValueFile");
  if (file !== undefined) return input.file(file);
  const text = given.text("ifValue");
  return text === undefined ? undefined : encodeName(text);
}

export const FENCE_OPTIONS: readonly Option[] = [
  {
    flags: "--lock <name>",
    about:
      "with --fence: only while this lock's grant with that number stands, or after it until the lock is granted again",
  },
  { flags: "--fence <n>", about: "the number; lock run and lock acquire --json tell it" },
];

/** @throws BlackboardError `usage` */
export function fenceOf(given: Given): Fence | undefined {
  const [lock, fence] = [given.text("lock"), given.text("fence")];
  if (lock === undefined && fence === undefined) return undefined;
  if (lock === undefined) throw usageError("--fence needs --lock NAME: whose number it is");
  if (fence === undefined) throw usageError("--lock needs --fence N: the number that came with the lock");
  const number = /^\d{1,16}$/.test(fence) ? Number(fence) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw usageError("--fence: must be the number that came with the lock");
  return { lock, fence: number };
}

/** @param not what was not done: `not written` */
export function refusedCondition(
  not: string,
  { isAbsent = false, ...rival }: Rival & { readonly isAbsent?: boolean },
): BlackboardError {
  if (isAbsent) return new BlackboardError("conflict", `${not}: there is no such key`);
  const told = rival.by === null && rival.ageMs === null ? "" : ` (written by ${whoAndWhen(rival)})`;
  return new BlackboardError("conflict", `${not}: the condition does not hold${told}`);
}

export function refusedFence({ lock, fence }: Fence, rival: Rival): BlackboardError {
  if (rival.by === null && rival.ageMs === null)
    return new BlackboardError("conflict", `not written: nothing is known of the lock ${lock}`, {
      hint: "it has not been granted on this board, or that is long over",
    });
  const message = `not written: no grant of the lock ${lock} stands as ${fence}; it was granted last to ${whoAndWhen(rival)}`;
  return new BlackboardError("conflict", message, { hint: "get the lock again before you go on" });
}

function whoAndWhen({ by, ageMs }: Rival): string {
  return `${by ?? "a client unknown"}${ageMs === null ? "" : `, ${formatAge(ageMs)} ago`}`;
}
