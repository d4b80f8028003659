/**
 * Taking the oldest key. Candidates are listed, oldest first, and a script takes the first of them that is still there. That is the
 * oldest of all: a key older than they are cannot appear later, because one that is deleted and made again is younger.
 */
import { compileGlob, type Matcher } from "../../core/glob.ts";
import { decodeName, encodeName } from "../../core/names.ts";
import type { KeySelection, Taken } from "../../core/types.ts";
import type { BoardScripts } from "./board-scripts.ts";
import { chunks, KEYS_A_SCRIPT } from "./chunks.ts";
import type { Connection } from "./connection.ts";
import { toTaken } from "./key-facts.ts";
import { scanSteps } from "./keys.ts";
import type { Layout } from "./layout.ts";
import type { Link } from "./link.ts";
import { TAKE } from "./removal-scripts.ts";
import { asBytes, asList, asNumber, asPairs } from "./replies.ts";

/** More names than this are looked for in the list of keys, like those of a pattern. */
const MOST_NAMES = 1000;
/** Keys listed in the first step, and in the longest; ten times as many each time. What is taken is mostly among the first. */
const FIRST_STEP = 100;
const LONGEST_STEP = 2000;
/** Which of the candidates may be taken: see TAKE. */
type Wanted = number | "foreign" | "any";

export interface OldestPlace {
  readonly link: Link;
  readonly layout: Layout;
  readonly scripts: BoardScripts;
}

/** Each step has the store's bound. `null`: there was a moment at which there was none. */
export function takeOldest(
  place: OldestPlace,
  selection: KeySelection,
  agent: string,
): Promise<Taken | null> {
  return new Oldest(place, selection, agent).take();
}

class Oldest {
  readonly #place: OldestPlace;
  readonly #agent: string;
  readonly #names: readonly string[];
  readonly #patterns: readonly string[];
  readonly #matches: Matcher;
  /** Up to this number nothing that matches is left in the list of keys. */
  #after = 0;

  constructor(place: OldestPlace, { keys, patterns }: KeySelection, agent: string) {
    this.#place = place;
    this.#agent = agent;
    this.#names = [...new Set(keys)];
    this.#patterns = patterns;
    this.#matches = matcherOf(this.#names, patterns);
  }

  async take(): Promise<Taken | null> {
    if (this.#patterns.length === 0 && this.#names.length <= MOST_NAMES) {
      return keyOf(await this.#attempt(this.#names, "any"));
    }
    for (;;) {
      this.#after = 0;
      const outcome = (await this.#takeKnown()) ?? (await this.#takeForeign());
      if (typeof outcome !== "number") return outcome;
      // One may have been written before the last foreign key went. If others were quicker, that says nothing of what came meanwhile.
      if (outcome === 0) return this.#takeKnown();
    }
  }

  /** One that timmy-bb has written. What was made again since it was listed is younger than what comes later in the list. */
  async #takeKnown(): Promise<Taken | null> {
    for (let size = FIRST_STEP; ; size = Math.min(size * 10, LONGEST_STEP)) {
      const listed = await this.#list(size);
      if (listed.length === 0) return null;
      const upTo = asNumber(listed.at(-1)?.[1]);
      const matching = listed.map(([key]) => asBytes(key)).filter(this.#matches);
      for (const some of chunks(matching.map(decodeName), KEYS_A_SCRIPT)) {
        const taken = keyOf(await this.#attempt(some, upTo));
        if (taken !== null) return taken;
      }
      this.#after = upTo;
    }
  }

  /** One that is not in that list; else how many others that were there could not be taken. */
  async #takeForeign(): Promise<Taken | number> {
    let rivals = 0;
    for (const pattern of this.#patterns) {
      for await (const batch of scanSteps(this.#place.link, pattern)) {
        const outcome = await this.#takeOneOf(batch);
        if (typeof outcome !== "number") return outcome;
        rivals += outcome;
      }
    }
    const named = await this.#takeOneOf(this.#names);
    return typeof named === "number" ? rivals : named; // names need never have been there
  }

  /** What has been written since the list was read goes first. */
  async #takeOneOf(foreign: readonly string[]): Promise<Taken | number> {
    let rivals = 0;
    for (const some of chunks(foreign, KEYS_A_SCRIPT)) {
      const outcome = (await this.#takeKnown()) ?? (await this.#attempt(some, "foreign"));
      if (typeof outcome !== "number") return outcome;
      rivals += outcome;
    }
    return rivals;
  }

  /** The next keys, with the numbers of the writes that made them. */
  async #list(most: number): Promise<ReturnType<typeof asPairs>> {
    const { link, layout } = this.#place;
    const range = [layout.firsts, `(${this.#after}`, "+inf", "withscores", "limit", 0, most] as const;
    const list = (connection: Connection) => connection.call("zrangebyscore", ...range);
    return asPairs(await link.run("read", list));
  }

  /** The first of these that may be taken; else how many are gone, or are others now. */
  async #attempt(keys: readonly string[], wanted: Wanted): Promise<Taken | number> {
    const run = { effect: "write", agent: this.#agent, keys, args: [wanted] } as const;
    const reply = await this.#place.scripts.book(TAKE, run);
    return typeof reply === "number" ? reply : toTaken(asList(reply));
  }
}

function matcherOf(names: readonly string[], patterns: readonly string[]): Matcher {
  const exact = new Set(names.map((name) => encodeName(name).toString("latin1")));
  const matchers = patterns.map(compileGlob);
  return (name) =>
    matchers.some((matches) => matches(name)) ||
    (exact.size > 0 && exact.has(Buffer.from(name).toString("latin1")));
}

function keyOf(outcome: Taken | number | null): Taken | null {
  return typeof outcome === "number" ? null : outcome;
}
