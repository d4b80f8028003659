/** Names as a board's user has them, and whole names, with the prefix, as the stores have them. */
import { usageError } from "./errors.ts";
import { escapeGlob, isPattern } from "./glob.ts";
import { checkKnownName, checkNewName, checkPattern, OWN_ROOT } from "./names.ts";
import type { KeySelection, Selection } from "./types.ts";

/** Checks names and puts the prefix before them. All methods throw BlackboardError `usage` for a wrong name. */
export class Naming {
  /** What whole names begin with: `<prefix>:`, or nothing. */
  readonly #root: string;

  constructor(prefix: string) {
    this.#root = prefix === "" ? "" : `${prefix}:`;
  }

  /** The whole name of something about to be written. */
  fresh(what: string, name: string): string {
    checkNewName(what, name);
    return this.#whole(what, name);
  }

  /** The whole name of something looked up or deleted: foreign clients may have named it. */
  known(what: string, name: string): string {
    checkKnownName(what, name);
    return this.#whole(what, name);
  }

  /** A name that the store keeps apart for each board, so that it needs no prefix. */
  plain(what: string, name: string): string {
    checkNewName(what, name);
    return name;
  }

  keys(keys: string | readonly string[]): string[] {
    const list = Array.isArray(keys) ? keys : [keys];
    return list.map((key) => this.known("key", key));
  }

  /** A pattern that reaches nothing outside the prefix. */
  pattern(pattern: string): string {
    checkPattern(pattern);
    return escapeGlob(this.#root) + pattern;
  }

  selection(channels: string | readonly string[]): Selection {
    const { names, patterns } = this.#names("channel", channels);
    return { channels: names, patterns };
  }

  keySelection(keys: string | readonly string[]): KeySelection {
    const { names, patterns } = this.#names("key", keys);
    return { keys: names, patterns };
  }

  /** The name without the prefix. */
  readonly shown = (whole: string): string => whole.slice(this.#root.length);

  #names(what: string, list: string | readonly string[]) {
    const all: readonly string[] = Array.isArray(list) ? list : [list];
    if (all.length === 0) throw usageError(`no ${what} to follow`);
    return {
      names: all.filter((name) => !isPattern(name)).map((name) => this.known(what, name)),
      patterns: all.filter(isPattern).map((pattern) => this.pattern(pattern)),
    };
  }

  /** Without a prefix a name could reach timmy-bb's own bookkeeping; nothing typed may. */
  #whole(what: string, name: string): string {
    const whole = this.#root + name;
    if (!whole.startsWith(OWN_ROOT)) return whole;
    throw usageError(`the ${what} begins with ${OWN_ROOT}, which is timmy-bb's own`, "choose another name");
  }
}
