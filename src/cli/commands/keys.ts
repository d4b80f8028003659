import type { ListOptions } from "../../core/board-options.ts";
import { formatAge } from "../../core/duration.ts";
import { usageError } from "../../core/errors.ts";
import type { KeyFacts } from "../../core/types.ts";
import type { Command, Outcome, Row } from "../command.ts";
import type { Given } from "../given.ts";
import { jsonName } from "../json.ts";
import { oneLine } from "../terminal.ts";

export const keys: Command = {
  name: "keys",
  summary: "list keys",
  promise:
    "Prints the matching keys, one a line, sorted by their bytes, each once. Patterns are Redis globs: * ? [a-z] [^a] and \\ to escape. " +
    "Sorted, they begin when all are known; with --unsorted at once. " +
    "With --long: key, time to live (- for none), bytes, author and age, separated by TAB; ? is what only a foreign client knows.",
  args: [{ usage: "[pattern]", about: "a Redis glob; default: *" }],
  options: [
    { flags: "-l, --long", about: "with time to live, size, author and age" },
    { flags: "-0", about: "end each with NUL instead of a line break" },
    { flags: "--limit <n>", about: "at most so many, the first in order" },
    { flags: "-u, --unsorted", about: "as they come, from the first moment on; each once all the same" },
    { flags: "--by <agent>", about: "only keys that this agent wrote last" },
    { flags: "--stale <duration>", about: "only keys not written for so long; never a foreign client's" },
  ],
  examples: [
    {
      about: "list a namespace",
      shell: "timmy-bb set task:1 a; timmy-bb set task:2 b; timmy-bb keys 'task:*'",
      prints: "task:1\ntask:2\n",
    },
    { about: "who wrote what, and when", shell: "timmy-bb keys --long" },
    {
      about: "what one agent has left behind",
      shell: "timmy-bb set notes x --agent ada; timmy-bb keys --by ada",
      prints: "notes\n",
    },
    {
      about: "loop over names with any character in them",
      shell: "timmy-bb keys 'task:*' -0 | xargs -0 -n1 echo",
      prints: "task:1\ntask:2\n",
    },
    { about: "what nobody has touched for a day", shell: "timmy-bb keys --stale 1d", prints: "" },
  ],
  async run(context, given): Promise<Outcome> {
    const end = given.flag("0") ? "\0" : "\n";
    const pattern = given.optionalArg("pattern") ?? "*";
    const limit = given.count("limit", 1);
    const sorted = !given.flag("unsorted");
    const selection = selectionOf(given);
    const board = await context.board();
    if (!given.flag("long") && selection === null) {
      const names = board.keyBatches(pattern, limit === undefined ? { sorted } : { sorted, limit });
      return { rows: rowsOf(names, (key) => new ShortRow(key, end)) };
    }
    const facts = first(board.listBatches(pattern, { ...selection, sorted }), limit);
    if (!given.flag("long")) return { rows: rowsOf(facts, ({ key }) => new ShortRow(key, end)) };
    const heads = ["KEY", "TTL", "BYTES", "BY", "AGE"];
    return { rows: rowsOf(facts, (one) => new LongRow(one, end)), heads };
  },
};

/** `null`: by the pattern alone. */
function selectionOf(given: Given): ListOptions | null {
  const unwrittenForMs = given.duration("stale");
  const by = given.text("by");
  if (by === "") throw usageError("--by: the agent is empty", "is a variable unset?");
  if (unwrittenForMs === undefined && by === undefined) return null;
  return {
    ...(unwrittenForMs === undefined ? {} : { unwrittenForMs }),
    ...(by === undefined ? {} : { by }),
  };
}

/** At most so many of what comes in batches. */
async function* first<Item>(batches: AsyncIterable<readonly Item[]>, limit = Number.POSITIVE_INFINITY) {
  let left = limit;
  for await (const batch of batches) {
    yield batch.slice(0, left);
    left -= batch.length;
    if (left <= 0) return;
  }
}

async function* rowsOf<Item>(
  batches: AsyncIterable<readonly Item[]>,
  rowOf: (item: Item) => Row,
): AsyncGenerator<readonly Row[]> {
  for await (const batch of batches) yield batch.map(rowOf);
}

/** Of a million, each is made only in the form that is wanted. */
class ShortRow implements Row {
  readonly end: "\0" | "\n";
  readonly #key: string;

  constructor(key: string, end: "\0" | "\n") {
    this.#key = key;
    this.end = end;
  }

  get cells(): readonly string[] {
    return [this.end === "\0" ? this.#key : oneLine(this.#key)];
  }

  get json(): Record<string, string> {
    return jsonName("key", this.#key);
  }
}

class LongRow implements Row {
  readonly end: "\0" | "\n";
  readonly #facts: KeyFacts;

  constructor(facts: KeyFacts, end: "\0" | "\n") {
    this.#facts = facts;
    this.end = end;
  }

  get cells(): readonly string[] {
    const { key, ttlMs, size, by, ageMs } = this.#facts;
    return [
      this.end === "\0" ? key : oneLine(key),
      ttlMs === null ? "-" : formatAge(ttlMs),
      String(size ?? "?"),
      by ?? "?",
      ageMs === null ? "?" : formatAge(ageMs),
    ];
  }

  get json(): Record<string, unknown> {
    const { key, ttlMs, size, id, by, at, ageMs } = this.#facts;
    return { ...jsonName("key", key), ttl_ms: ttlMs, size, id, by, at, age_ms: ageMs };
  }
}
