/**
 * What a follower of keys asks the server for, and how it reads what comes: each change once.
 *
 * A script that changes a key announces that on a channel of ours, changes the key, and then tells the change with its id and author.
 * A script's effects reach a connection together, so what the server itself tells of the key (its keyspace notifications) between the
 * two is the same change; all else that it tells is a foreign client's doing.
 *
 * Only that a key expired, the server tells by itself, whoever wrote the key, and it may be in the log a moment later. So it is held
 * back until that is clear: it was logged; or something else happened to the key; or whoever asked the server about it first (see `Sweeper`)
 * was told, with everybody else who follows the key, that it was a foreign client's.
 */
import { compileGlob, type Matcher } from "../../core/glob.ts";
import { idToNumber, numberToId, numberToMs } from "../../core/ids.ts";
import { decodeName, encodeName } from "../../core/names.ts";
import type { Change, ChangeEvent, KeySelection } from "../../core/types.ts";
import { CHANGES, changeOf, changePattern, isOwn, keyspaceOf, type Layout } from "./layout.ts";
import type { Delivery, Fields, Source } from "./subscription.ts";

/**
 * What the server tells that leaves value and existence alone, or tells beside something else; and what means that a key is gone. Everything
 * else wrote it.
 */
const SILENT = new Set(["expire", "persist", "new", "keymiss", "overwritten", "type_changed"]);
const GONE = new Set(["del", "rename_from", "move_from", "evicted"]);

/** Said of a key that was asked about: nothing of ours. */
const FOREIGN = Buffer.from(".");

/** What is heard beside changes. */
export interface Asides {
  /** The next key expires in so many milliseconds; infinite: none does. */
  readonly onDue: (ms: number) => void;
  /** The server says that a key expired, or that a foreign client deleted it. `null`: it is not asked for what it says. */
  readonly onGone: ((key: string, event: "expired" | "del") => void) | null;
  /** Nothing is to be found out about a key any more. */
  readonly onSettled: (key: string) => void;
}

interface Pattern {
  readonly text: string;
  readonly matches: Matcher;
  /** As ioredis names it in a delivery: bytes that are not UTF-8 are lost there, on both sides alike. */
  readonly change: string;
  readonly keyspace: string;
}

export class ChangeSubscription implements Source {
  readonly #layout: Layout;
  readonly #database: number;
  readonly #patterns: readonly Pattern[];
  /** Exact names that no pattern covers: a key covered twice would be told of twice. */
  readonly #keys: ReadonlySet<string>;
  readonly #asides: Asides;
  readonly #changeStart: string;
  readonly #keyspaceStart: string;
  #announced: string | null = null;
  readonly #expired = new Set<string>();
  /** What the server told of the key that is there for finding this out. */
  readonly #told = new Set<string>();
  #deliver: (delivery: Delivery) => void = () => {};

  constructor(layout: Layout, database: number, { keys, patterns }: KeySelection, asides: Asides) {
    this.#layout = layout;
    this.#database = database;
    this.#patterns = [...new Set(patterns)].map((text) => toPattern(layout, database, text));
    this.#keys = new Set(keys.filter((key) => this.#canonical(key) === undefined));
    this.#asides = asides;
    this.#changeStart = changeOf(layout, "");
    this.#keyspaceStart = keyspaceOf(database, "");
  }

  get channelArguments(): readonly string[] {
    const { presence, due, test } = this.#layout;
    const changes = [...this.#keys].map((key) => changeOf(this.#layout, key));
    return [...changes, ...this.#keyspace([...this.#keys, test]), presence, due];
  }

  get patternArguments(): readonly string[] {
    const texts = this.#patterns.map(({ text }) => text);
    return [...texts.map((text) => changePattern(this.#layout, text)), ...this.#keyspace(texts)];
  }

  /** What the server has told since the session began of the key that is there for finding this out. */
  get told(): ReadonlySet<string> {
    return this.#told;
  }

  matches(channel: string): boolean {
    return channel === CHANGES;
  }

  selects(key: string): boolean {
    return this.#keys.has(key) || this.#canonical(key) !== undefined;
  }

  restart(): void {
    this.#announced = null;
    this.#expired.clear();
    this.#told.clear();
  }

  receive(
    pattern: string | null,
    channelBytes: Buffer,
    payload: Buffer,
    deliver: (delivery: Delivery) => void,
  ): void {
    this.#deliver = deliver;
    const channel = decodeName(channelBytes);
    if (channel === this.#layout.due) this.#hearDue(payload.toString("latin1"));
    else if (channel.startsWith(this.#changeStart)) {
      const key = channel.slice(this.#changeStart.length);
      if (this.#counts(key, pattern, "change")) this.#hearOurs(key, payload);
    } else if (channel.startsWith(this.#keyspaceStart)) {
      const key = channel.slice(this.#keyspaceStart.length);
      if (key === this.#layout.test) this.#told.add(payload.toString("latin1"));
      else if (!isOwn(key) && this.#counts(key, pattern, "keyspace")) {
        this.#hearServer(key, payload.toString("latin1"));
      }
    }
  }

  /** What the server said expired, and nobody can ask about, was a foreign client's. */
  readonly giveUp = (keys: Iterable<string>): void => {
    for (const key of keys) this.#settle(key);
  };

  entryOf(_channel: string, number: number, fields: Fields): Change | null {
    const key = decodeName(fields.get("key") ?? Buffer.alloc(0));
    const event = toEvent(fields.get("kind")?.toString("latin1"));
    if (event === null || !this.selects(key)) return null;
    const size = fields.get("size")?.toString("latin1");
    const value = fields.get("value") ?? null;
    const by = fields.get("by")?.toString("utf8") ?? "";
    return change(event, key, { number, size: size === undefined ? null : Number(size), value, by });
  }

  #keyspace(names: readonly string[]): readonly string[] {
    return this.#asides.onGone === null ? [] : names.map((name) => keyspaceOf(this.#database, name));
  }

  #hearDue(payload: string): void {
    const [database, ms] = payload.split(" ");
    if (Number(database) === this.#database) this.#asides.onDue(ms === "-" ? Infinity : Number(ms));
  }

  #hearOurs(key: string, payload: Buffer): void {
    this.#announced = payload.length === 0 ? key : null;
    if (payload.equals(FOREIGN)) this.#settle(key);
    const told = toTold(key, payload);
    if (told === null || told.database !== this.#database) return; // the same prefix in another database is another board
    if (told.change.event === "expired") this.#forget(key);
    else this.#settle(key);
    this.#deliver({ number: told.number, channel: CHANGES, entry: told.change });
  }

  #hearServer(key: string, event: string): void {
    if (key === this.#announced) return;
    this.#announced = null;
    if (SILENT.has(event)) return;
    const isGone = GONE.has(event) || event === "expired";
    if (event === "expired") this.#expired.add(key);
    else this.#settle(key);
    if (event !== "expired") this.#deliverForeign(isGone ? "del" : "set", key);
    if (isGone) this.#asides.onGone?.(key, event === "expired" ? "expired" : "del");
  }

  #settle(key: string): void {
    if (this.#forget(key)) this.#deliverForeign("expired", key);
  }

  /** Whether it was undecided. */
  #forget(key: string): boolean {
    this.#asides.onSettled(key);
    return this.#expired.delete(key);
  }

  #deliverForeign(event: ChangeEvent, key: string): void {
    const nobody = { size: null, value: null, id: null, by: null };
    const entry = { event, key, ...nobody, at: Date.now(), isInitial: false };
    this.#deliver({ number: null, channel: CHANGES, entry });
  }

  /** Whether a delivery is the one of its kind that counts: what several patterns match comes by each of them. */
  #counts(key: string, pattern: string | null, kind: "change" | "keyspace"): boolean {
    return pattern === null ? this.#keys.has(key) : this.#canonical(key)?.[kind] === pattern;
  }

  #canonical(key: string): Pattern | undefined {
    const name = encodeName(key);
    return this.#patterns.find(({ matches }) => matches(name));
  }
}

interface Told {
  readonly database: number;
  readonly number: number;
  readonly change: Change;
}

/**
 * `<database> <id> <event> <bytes or -> <author>`, and on a line of its own the value, unless it is too large for the log. No author holds
 * a line break. `null` for an announcement, and for what timmy-bb cannot have sent.
 */
function toTold(key: string, payload: Buffer): Told | null {
  const end = payload.indexOf(10);
  const head = payload.toString("utf8", 0, end < 0 ? payload.length : end);
  const parts = /^(\d{1,9}) (\S+) (\S+) (\d+|-) (.*)$/.exec(head);
  const [, database, id = "", kind, size, by = ""] = parts ?? [];
  const [number, event] = [idToNumber(id), toEvent(kind)];
  if (number === null || event === null) return null;
  const value = end < 0 ? null : payload.subarray(end + 1);
  const known = { number, size: size === "-" ? null : Number(size), value, by };
  return { database: Number(database), number, change: change(event, key, known) };
}

interface Known {
  readonly number: number;
  readonly size: number | null;
  readonly value: Buffer | null;
  readonly by: string;
}

/** A change that is in the log; an expiry is nobody's. */
function change(event: ChangeEvent, key: string, { number, size, value, by }: Known): Change {
  const author = event === "expired" ? null : by;
  const place = { id: numberToId(number), by: author, at: numberToMs(number) };
  return { event, key, value, size, ...place, isInitial: false };
}

function toEvent(kind: string | undefined): ChangeEvent | null {
  return kind === "set" || kind === "del" || kind === "expired" ? kind : null;
}

function toPattern(layout: Layout, database: number, text: string): Pattern {
  const wire = (glob: string): string => encodeName(glob).toString("utf8");
  return {
    text,
    matches: compileGlob(text),
    change: wire(changePattern(layout, text)),
    keyspace: wire(keyspaceOf(database, text)),
  };
}
