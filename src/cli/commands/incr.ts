import { usageError } from "../../core/errors.ts";
import type { Command } from "../command.ts";
import { jsonName } from "../json.ts";

export const incr: Command = {
  name: "incr",
  summary: "add to a counter",
  promise:
    "Adds to the whole number stored at the key and prints the sum. However many processes do it at once, none is lost. " +
    "An absent key counts as 0 and then does not expire; a present one keeps its time to live. A value that is not a 64-bit whole number, or a sum beyond, exits 5.",
  args: [
    { usage: "<key>", about: "the key" },
    { usage: "[by]", about: "a whole number, negative to count down; default: 1" },
  ],
  options: [],
  examples: [
    { about: "count", shell: "timmy-bb incr runs; timmy-bb incr runs", prints: "1\n2\n" },
    { about: "count down", shell: "timmy-bb incr runs -2", prints: "0\n" },
  ],
  atOnce: 1000,
  async run(context, given) {
    const key = given.arg("key");
    const by = wholeNumber(given.optionalArg("by") ?? "1");
    const board = await context.board();
    const sum = await board.incr(key, by);
    // Beyond 2^53 a JSON number would be read wrongly by most readers.
    const value = typeof sum === "bigint" ? String(sum) : sum;
    return { rows: [{ cells: [String(sum)], json: jsonName("key", key, { value }) }] };
  },
};

function wholeNumber(text: string): bigint {
  if (/^[+-]?\d{1,19}$/.test(text)) return BigInt(text.replace(/^\+/, ""));
  throw usageError("the increment must be a whole number of at most 64 bits");
}
