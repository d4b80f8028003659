/** Conditions in the words of the command, and what it says when one does not hold. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDuration } from "../../src/core/duration.ts";
import { tempDir } from "../helpers/temp.ts";
import { valueWord } from "./cli-words.ts";
import { type ConditionalAnswer, Failure, type Refusal, type SetAnswer, type SetOptions } from "./driver.ts";

export function conditionWords({ if: condition, ifValue, fence }: SetOptions): string[] {
  return [
    ...(condition === undefined ? [] : [`--if-${condition}`]),
    ...(ifValue === undefined ? [] : [valueCondition(ifValue)]),
    ...(fence === undefined ? [] : [`--lock=${fence.lock}`, `--fence=${fence.fence}`]),
  ];
}

/** What no word can hold comes from a file. */
export function valueCondition(value: string | Uint8Array): string {
  if (!Buffer.from(value).includes(0)) return `--if-value=${valueWord(value)}`;
  const file = join(tempDir("value"), "value");
  writeFileSync(file, value);
  return `--if-value-file=${file}`;
}

/** @throws whatever is no refusal */
export function refusedSet(error: unknown): SetAnswer {
  const refusal = refusalIn(error, "not written");
  const because =
    refusal.message.startsWith("not written: no grant of the lock ") || isUnknownLock(refusal.message);
  return { written: false, because: because ? "fence" : "condition", ...toldBy(refusal) };
}

/** @param not what the command says that was not done */
export function refused(error: unknown, not: string): ConditionalAnswer {
  const refusal = refusalIn(error, not);
  const isAbsent = refusal.message === `${not}: there is no such key`;
  return { done: false, isAbsent, ...toldBy(refusal) };
}

function isUnknownLock(message: string): boolean {
  return message.startsWith("not written: nothing is known of the lock ");
}

function refusalIn(error: unknown, not: string): Failure {
  if (error instanceof Failure && error.kind === "conflict" && error.message.startsWith(`${not}: `))
    return error;
  throw error;
}

function toldBy({ message, told }: Failure): Refusal {
  const [, by = null, age] = /(?:\(written by|granted last to) (.*), (\S+) ago\)?$/.exec(message) ?? [];
  const ageMs = age === undefined ? null : age === "0s" ? 0 : parseDuration("age", age);
  return { by: by === "a client unknown" ? null : by, ageMs, told };
}
