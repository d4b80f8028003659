/**
 * The board as the groups see it: the same calls and the same answers, whether a library or a command does them.
 * `library-driver.ts` and `cli-driver.ts` are the two ways; no group knows which it has.
 */
import type { Fence } from "../../src/core/conditional.ts";
import type { ErrorKind } from "../../src/core/errors.ts";
import type {
  Change,
  ChannelFacts,
  ConsumerFacts,
  Entry,
  Gap,
  KeyFacts,
  Message,
  Reading,
  StoreName,
  StoreStatus,
} from "../../src/core/types.ts";
import type { BoardLocks } from "./locking.ts";

/** Where a board lies, and what surrounds the process that opens it. */
export interface Place {
  readonly store: StoreName;
  /** For redis. It may hold a password. */
  readonly url?: string;
  /** For redis, beside the URL. */
  readonly password?: string;
  /** For redis by TLS: the PEM file of whom a process trusts. */
  readonly trusted?: string;
  /** For memory. */
  readonly dataDir?: string;
  /** A config file that sets nothing, so that none is looked for. */
  readonly config: string;
  /** The working directory and `HOME`: empty, and to be left empty. */
  readonly home: string;
}

export interface BoardSettings {
  readonly place: Place;
  readonly prefix: string;
  readonly agent: string;
  /** `null`: keys do not expire unless told to. */
  readonly ttlSeconds: number | null;
  /** Milliseconds. */
  readonly timeoutMs: number;
}

export interface SetOptions {
  /** Milliseconds; `null`: for ever. Default: the board's. */
  readonly ttlMs?: number | null | "keep";
  readonly if?: "absent" | "present";
  readonly ifValue?: string | Uint8Array;
  readonly fence?: Fence;
}

/** Who stands in the way, since when (the command tells whole seconds), and everything that was said with the refusal. */
export interface Refusal {
  readonly by: string | null;
  readonly ageMs: number | null;
  readonly told: string;
}

export type SetAnswer =
  | { readonly written: true; readonly id: string }
  | ({ readonly written: false; readonly because: "condition" | "fence" } & Refusal);

/** What became of something that is done only if a key has a certain value. */
export type ConditionalAnswer =
  | { readonly done: true }
  | ({ readonly done: false; readonly isAbsent: boolean } & Refusal);

export interface ListOptions {
  readonly staleMs?: number;
  readonly by?: string;
}

export interface ClearOptions {
  readonly olderThanMs?: number;
  readonly max?: number;
  readonly dryRun?: boolean;
  /** Confirmed: only the command ever asks for it. */
  readonly yes?: boolean;
}

export interface FollowOptions {
  /** Ends after so many messages; else it goes on. */
  readonly count?: number;
  /** Ends after this many milliseconds. */
  readonly waitMs?: number;
  /** Begins with the newest so many retained messages. */
  readonly last?: number;
  /** Begins behind an id, at a time, or so many milliseconds ago. */
  readonly since?: string | Date | number;
  /** False: ends with what was there when it began. */
  readonly live?: false;
  /** As a worker of this consumer, which acknowledges everything. */
  readonly consumer?: string;
  /** Where a new consumer begins. */
  readonly begin?: "start" | "now";
}

export interface WatchOptions extends FollowOptions {
  /** Begins with the values that are there. */
  readonly initial?: true;
}

export interface WaitOptions {
  /** Default: that it is present, or has the value, if one is given. */
  readonly until?: "absent" | "changed";
  readonly value?: string | Uint8Array;
  /** From where on a change counts. */
  readonly since?: string | Date | number;
  /** One of the keys is enough. */
  readonly any?: true;
  /** Fails after this many milliseconds. */
  readonly waitMs?: number;
}

/** A value with what is known of it. */
export type Known = Pick<Reading, "key" | "value" | "id" | "by" | "at" | "ttlMs">;

/** A key that is as it was waited for; `null`: it is absent. */
export interface Found {
  readonly key: string;
  readonly known: Known | null;
}

/** What is followed: channels, or keys. */
export type Followed = string | { readonly keys: string };

/** Why a subscription ended. */
export type Ending = "closed" | "done" | "timeout";

/** A running subscription, or watch. Whoever has one can be sure that it misses nothing from now on. */
export interface Subscription<Item extends Entry = Message> {
  /** The first `count` messages or changes; an error if they do not come, or it ends before. */
  take(count: number): Promise<Item[]>;
  /** What has come so far. */
  seen(): readonly Item[];
  /** The same, gaps in their places. */
  items(): readonly (Item | Gap)[];
  readonly ended: Promise<Ending>;
  close(): Promise<void>;
}

export interface StatusAnswer {
  readonly store: StoreName;
  readonly why: string;
  readonly stores: readonly StoreStatus[];
}

/** A call that makes no sense, in the words of whoever makes it. */
export interface Misuse {
  readonly what: string;
  /** Fails; if it hands in a value, that is `secret`. */
  call(): Promise<unknown>;
}

/** What another process on the same board does. */
export type Deed =
  | { readonly do: "incr"; readonly key: string; readonly times: number }
  | { readonly do: "publish"; readonly channel: string; readonly payload: string };

export interface Board {
  readonly settings: BoardSettings;
  get(key: string): Promise<Buffer | null>;
  read(key: string): Promise<Known | null>;
  set(key: string, value: string | Uint8Array, options?: SetOptions): Promise<SetAnswer>;
  del(...keys: string[]): Promise<number>;
  delIf(key: string, value: string | Uint8Array): Promise<ConditionalAnswer>;
  /** The oldest of those selected; `null`: there was none, or none came in `waitMs`. */
  take(keys: readonly string[], waitMs?: number): Promise<Known | null>;
  exists(...keys: string[]): Promise<number>;
  /** In byte order; the first `limit` of them. */
  keys(pattern?: string, limit?: number): Promise<string[]>;
  /** In byte order. */
  list(pattern?: string, options?: ListOptions): Promise<KeyFacts[]>;
  /** Milliseconds; `null`: for ever; `undefined`: absent. */
  ttl(key: string): Promise<number | null | undefined>;
  expire(key: string, ttlMs: number): Promise<boolean>;
  expireIf(key: string, value: string | Uint8Array, ttlMs: number): Promise<ConditionalAnswer>;
  persist(key: string): Promise<boolean>;
  incr(key: string, by?: bigint): Promise<bigint>;
  publish(channel: string, payload: string | Uint8Array): Promise<{ receivers: number; id: string }>;
  /** One after the other, each a line's worth, in one process. */
  publishAll(channel: string, payloads: readonly string[]): Promise<{ receivers: number; id: string }[]>;
  subscribe(channels: readonly string[], options?: FollowOptions): Promise<Subscription>;
  watch(keys: readonly string[], options?: WatchOptions): Promise<Subscription<Change>>;
  /** Those that are as they were waited for. */
  wait(keys: readonly string[], options?: WaitOptions): Promise<Found[]>;
  history(key: string, from?: Pick<FollowOptions, "last" | "since">): Promise<readonly (Change | Gap)[]>;
  channels(pattern?: string): Promise<ChannelFacts[]>;
  /** By name; channels in byte order. */
  consumers(): Promise<ConsumerFacts[]>;
  /** False if there is none. */
  deleteConsumer(consumer: string): Promise<boolean>;
  /** Takes one message or change as a worker and fails at it, as often as it may. */
  failAtOne(of: Followed, consumer: string, retries: number): Promise<void>;
  readonly locks: BoardLocks;
  clear(pattern?: string, options?: ClearOptions): Promise<number>;
  status(): Promise<StatusAnswer>;
  /** Everything that status says in any form, for a look at what must not be in it. */
  toldStatus(): Promise<string>;
  /** Calls that only this way of using a board can get wrong. */
  readonly misuses: readonly Misuse[];
  /** Does something in a process of its own, and resolves when that has ended well. */
  elsewhere(deed: Deed): Promise<void>;
  /** The form made for people: for the command without `--json`, for the library itself. */
  readonly plain: PlainBoard;
  /** Ends everything of it; nothing may be called after. */
  close(): Promise<void>;
}

/** The plain form of the calls that print something. */
export interface PlainBoard {
  get(key: string): Promise<Buffer | null>;
  set(key: string, value: string | Uint8Array): Promise<void>;
  del(...keys: string[]): Promise<number>;
  exists(...keys: string[]): Promise<number>;
  keys(pattern: string): Promise<string[]>;
  /** Keys by name, with bytes and author. */
  list(pattern: string): Promise<{ key: string; size: number; by: string }[]>;
  /** Whole seconds, -1 for ever, `null` if absent. */
  ttlSeconds(key: string): Promise<number | null>;
  incr(key: string, by: bigint): Promise<bigint>;
  publish(channel: string, payload: string): Promise<number>;
  /** The next message while `meanwhile` runs. */
  hear(
    channels: readonly string[],
    meanwhile: () => Promise<unknown>,
  ): Promise<{ channel: string; payload: Buffer }>;
  channels(pattern: string): Promise<{ channel: string; messages: number; followers: number }[]>;
  clear(pattern: string): Promise<number>;
}

export function isEntry<Item extends Entry>(item: Item | Gap): item is Item {
  return !("gap" in item);
}

/** The one error of both drivers. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly kind: ErrorKind;
  /** Everything that was said, hint included. */
  readonly told: string;

  constructor(kind: ErrorKind, message: string, told: string) {
    super(message);
    this.kind = kind;
    this.told = told;
  }
}

/** What a call failed with; an error if it did not fail. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const outcome = await call.then(
    () => null,
    (error: unknown) => error,
  );
  if (outcome instanceof Failure) return outcome;
  throw outcome ?? new Error("it should have failed");
}
