import type { Fence, SetResult } from "../../core/conditional.ts";
import type { BlackboardError } from "../../core/errors.ts";
import type { Command, Input } from "../command.ts";
import {
  FENCE_OPTIONS,
  fenceOf,
  IF_VALUE_OPTIONS,
  ifValueOf,
  refusedCondition,
  refusedFence,
} from "../conditions.ts";
import type { Given } from "../given.ts";
import { jsonName } from "../json.ts";
import { FILE_OPTION, readValue, TTL_OPTIONS, ttlOf } from "../options.ts";

export const set: Command = {
  name: "set",
  summary: "write a value",
  promise:
    "Writes the value and prints nothing. Without VALUE, or with -, the value is standard input, byte for byte. " +
    "With a condition it is written only if the condition holds at that very moment; else it exits 5 and names the present value's author on stderr. " +
    "With --lock and --fence it is written only while the grant with that number stands, or after it until the lock is granted again; else it exits 5 and names who was granted it last. With both, both must hold.",
  args: [
    { usage: "<key>", about: "the key" },
    { usage: "[value]", about: "the value; - or none: standard input" },
  ],
  options: [
    FILE_OPTION,
    ...TTL_OPTIONS,
    { flags: "--if-absent", about: "only if there is no such key" },
    { flags: "--if-present", about: "only if there is such a key" },
    ...IF_VALUE_OPTIONS,
    ...FENCE_OPTIONS,
  ],
  examples: [
    {
      about: "say what an agent is doing, for five minutes",
      shell: "timmy-bb set agent:1:state working --ttl 5m",
    },
    {
      about: "keep a file's bytes",
      shell: "printf 'a\\0b' | timmy-bb set blob && timmy-bb get blob --raw | wc -c",
      prints: "3\n",
    },
    {
      about: "claim a task: one of many wins",
      shell: "timmy-bb set task:7 agent-1 --if-absent && echo mine",
      prints: "mine\n",
    },
    {
      about: "change a value only if nobody else has",
      shell: "timmy-bb set agent:1:state done --if-value working --keep-ttl && timmy-bb get agent:1:state",
      prints: "done\n",
    },
    {
      about: "what was read, byte for byte, must still be there",
      shell:
        "timmy-bb set plan draft; timmy-bb get plan --raw > read; timmy-bb set plan final --if-value-file read && timmy-bb get plan",
      prints: "final\n",
    },
    {
      about: "as the holder of a lock, and not any more when it is another's",
      shell:
        "timmy-bb lock run plan -- sh -c 'timmy-bb set plan mine --lock plan --fence $TIMMY_BB_FENCE' && timmy-bb get plan",
      prints: "mine\n",
    },
  ],
  atOnce: 1000,
  async run(context, given) {
    const key = given.arg("key");
    // Nothing is waited for that is there: there may be a hundred thousand a second.
    const wanted = conditionOf(given, context.input);
    const condition = wanted instanceof Promise ? await wanted : wanted;
    const fence = fenceOf(given);
    const options = { ...condition, ...(fence === undefined ? {} : { fence }), ...ttlOption(given) };
    const read = readValue("value", given.optionalArg("value"), given, context.input);
    const value = read instanceof Promise ? await read : read;
    const board = context.boardNow?.() ?? (await context.board());
    const result = await board.set(key, value, options);
    if (!result.written) throw refusal(result, fence);
    return { rows: [{ cells: [], json: jsonName("key", key, { id: result.id }), end: "" }] };
  },
};

function ttlOption(given: Given) {
  const ttlMs = ttlOf(given);
  return ttlMs === undefined ? {} : { ttlMs };
}

function conditionOf(given: Given, input: Input) {
  given.exclusive("ifAbsent", "ifPresent", "ifValue", "ifValueFile");
  const ifValue = ifValueOf(given, input);
  if (ifValue instanceof Promise) return ifValue.then((value) => ({ ifValue: value }));
  if (ifValue !== undefined) return { ifValue };
  if (given.flag("ifAbsent")) return { if: "absent" } as const;
  return given.flag("ifPresent") ? ({ if: "present" } as const) : {};
}

function refusal(refused: Extract<SetResult, { written: false }>, fence: Fence | undefined): BlackboardError {
  const isFence = refused.because === "fence" && fence !== undefined;
  return isFence ? refusedFence(fence, refused) : refusedCondition("not written", refused);
}
