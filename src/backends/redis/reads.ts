/** Looking at keys, some at a time, all within one bound. */
import type { KeyFacts, Reading } from "../../core/types.ts";
import type { BoardScripts } from "./board-scripts.ts";
import { chunks, inTurn } from "./chunks.ts";
import { toFacts, toReading } from "./key-facts.ts";
import type { Link } from "./link.ts";
import { asList, asNumber, type Reply } from "./replies.ts";
import { DESCRIBE } from "./scripts.ts";

/** Keys of one plain EXISTS. */
const KEYS_A_COMMAND = 1000;
/** Bytes that no value has: it is left out. */
const NO_VALUES = -1;

/** Looking into a key takes a server longer than deleting it: the value's fingerprint is taken. */
const DESCRIBED_AT_ONCE = 100;

export class Reads {
  readonly #link: Link;
  readonly #scripts: BoardScripts;

  constructor(link: Link, scripts: BoardScripts) {
    this.#link = link;
    this.#scripts = scripts;
  }

  async exists(keys: readonly string[]): Promise<number> {
    const deadline = this.#link.deadline();
    let found = 0;
    for (const some of chunks(keys, KEYS_A_COMMAND)) {
      found += asNumber(
        await this.#link.run("read", (connection) => connection.call("exists", ...some), deadline),
      );
    }
    return found;
  }

  describe(keys: readonly string[]): Promise<ReadonlyArray<KeyFacts | null>> {
    return this.#describe(keys, NO_VALUES, toFacts);
  }

  read(keys: readonly string[], mostBytes: number): Promise<ReadonlyArray<Reading | null>> {
    return this.#describe(keys, mostBytes, toReading);
  }

  async #describe<Facts>(
    keys: readonly string[],
    mostBytes: number,
    factsOf: (key: string, reply: Reply, now: number) => Facts | null,
  ): Promise<ReadonlyArray<Facts | null>> {
    const deadline = this.#link.deadline();
    const facts: Array<Facts | null> = [];
    const [failure] = await inTurn(keys, DESCRIBED_AT_ONCE, async (some, from) => {
      const run = { effect: "read", keys: some, args: [mostBytes], deadline } as const;
      const [now, ...replies] = asList(await this.#scripts.book(DESCRIBE, run));
      for (const [at, key] of some.entries())
        facts[from + at] = factsOf(key, replies[at] ?? null, asNumber(now));
    });
    if (failure !== undefined) throw failure;
    return facts;
  }
}
