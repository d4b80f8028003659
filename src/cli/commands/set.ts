import { formatAge } from "../../core/duration.ts";
import { BlackboardError } from "../../core/errors.ts";
import { encodeName } from "../../core/names.ts";
import type { SetResult } from "../../core/types.ts";
import type { Command } from "../command.ts";
import type { Given } from "../given.ts";
import { jsonName } from "../json.ts";
import { FILE_OPTION, readBytes, TTL_OPTIONS, ttlOf } from "../options.ts";

export const set: Command = {
  name: "set",
  summary: "write a value",
  promise:
    "Writes the value and prints nothing. Without VALUE, or with -, the value is standard input, byte for byte. " +
    "With a condition it is written only if the condition holds at that very moment; else it exits 5 and names the present value's author on stderr.",
  args: [
    { usage: "<key>", about: "the key" },
    { usage: "[value]", about: "the value; - or none: standard input" },
  ],
  options: [
    FILE_OPTION,
    ...TTL_OPTIONS,
    { flags: "--if-absent", about: "only if there is no such key" },
    { flags: "--if-present", about: "only if there is such a key" },
    { flags: "--if-value <value>", about: "only if this is the present value" },
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
  ],
  async run(context, given) {
    const key = given.arg("key");
    const options = { ...conditionOf(given), ...ttlOption(given) };
    const value = await readBytes("value", given.optionalArg("value"), given, context.input);
    const board = await context.board();
    const result = await board.set(key, value, options);
    if (!result.written) throw refusal(result);
    return { rows: [{ cells: [], json: { ...jsonName("key", key), id: result.id }, end: "" }] };
  },
};

function ttlOption(given: Given) {
  const ttlMs = ttlOf(given);
  return ttlMs === undefined ? {} : { ttlMs };
}

function conditionOf(given: Given) {
  given.exclusive("ifAbsent", "ifPresent", "ifValue");
  const ifValue = given.text("ifValue");
  if (ifValue !== undefined) return { ifValue: encodeName(ifValue) };
  if (given.flag("ifAbsent")) return { if: "absent" } as const;
  return given.flag("ifPresent") ? ({ if: "present" } as const) : {};
}

function refusal(present: Extract<SetResult, { written: false }>): BlackboardError {
  const author = present.by === null ? "by a client unknown" : `by ${present.by}`;
  const age = present.at === null ? "" : `, ${formatAge(Date.now() - present.at)} ago`;
  const told = present.by === null && present.at === null ? "" : ` (written ${author}${age})`;
  return new BlackboardError("conflict", `not written: the condition does not hold${told}`);
}
