/**
 * The contract of a store. Both stores keep every sentence of it; `test/conformance` holds them to it.
 *
 * Names here are whole: `<prefix>:<name>`, valid for writing (checked by `Blackboard`), as strings in the sense of
 * `names.ts`. Patterns are whole too, the prefix's own glob characters escaped.
 *
 * Every method
 * - ends within the store's `timeoutMs`, whatever the server or a lock does, the first one together with the opening of the
 *   store; `keys` and `follow` bound each step by it;
 * - throws `BlackboardError`: `unavailable` if nothing was changed, `unknown` if a change was sent and no answer
 *   came, `conflict` for a wrong type or an overflow, `config` for credentials or settings the store refuses,
 *   `usage` for a value over the limit. No message holds a value, a payload or a password;
 * - treats an expired key as absent.
 *
 * Each successful change of a value and each publish appends one entry to the board's log in the same atomic step:
 * id, kind (`set`, `del`, `expired`, `message`), name, value or payload, by. Ids grow strictly within a board (one
 * prefix). A change of only the time to live leaves value and existence alone and appends nothing. Values over
 * `MAX_LOGGED_VALUE_BYTES` are logged without the value. Retention: the newest `history.messagesPerChannel` of each
 * channel and the newest `history.changes` changes, none older than `history.maxAgeMs`.
 */
import type { Condition, Conditional, Fence, SetResult } from "./conditional.ts";
import type { Grant, LockFacts, LockPatience, LockRequest, RefreshOptions } from "./lock.ts";
import type {
  AnySelection,
  BackendStatus,
  Bytes,
  ChannelFacts,
  ConsumerFacts,
  EntryOf,
  FollowState,
  Gap,
  KeyFacts,
  KeySelection,
  Message,
  PublishResult,
  Reading,
  Start,
  Taken,
  TtlMs,
} from "./types.ts";
import type { Worker, WorkerOptions } from "./worker.ts";

/** Larger values are not copied into the log; their entry says so. 64 KiB. */
export const MAX_LOGGED_VALUE_BYTES = 65_536;

/** What a store needs to know of its board, beside where it is. */
export interface BoardSettings {
  /** The prefix, without its colon; may be empty. It names the board: log, ids and bookkeeping are per prefix. */
  readonly prefix: string;
  /** The bound of each operation, or of each step of a long one. */
  readonly timeoutMs: number;
  readonly history: {
    /** 0: messages are delivered and not kept. */
    readonly messagesPerChannel: number;
    readonly changes: number;
    readonly maxAgeMs: number;
  };
}

/** Where the stores may differ; a test asserts each. Everything else is alike. */
export interface Capabilities {
  /** Larger values and payloads are refused (`usage`). */
  readonly maxValueBytes: number;
  /** Clients that know nothing of timmy-bb can share the board; what they write has no provenance. */
  readonly foreignClients: boolean;
}

export interface Backend {
  readonly capabilities: Capabilities;

  /** The value, or `null` if absent. A key that is not a plain string: `conflict`. */
  get(key: string): Promise<Buffer | null>;

  /**
   * Writes a value, its time to live and its log entry in one step, if the fence stands and the condition holds at that moment.
   * Without a condition whatever was there is replaced, a foreign type too. With `"keep"` the present time to live
   * stays. `{ if: "value" }` on an absent key does not hold.
   *
   * A fence stands while its grant does, and after that until the lock is granted again. A number that is no grant's, or one of a lock of
   * which nothing is known any more, does not stand.
   */
  set(key: string, value: Bytes, options: SetOptions): Promise<SetResult>;

  /**
   * Deletes the keys that exist, and returns how many did; a name given twice counts once. One log entry each.
   * With `unwrittenForMs`, a key goes only if its last write is timmy-bb's own and, by the store's clock, at least
   * that long ago when it is deleted; a foreign key never.
   */
  del(keys: readonly string[], options: DelOptions): Promise<number>;

  /** Deletes the key if this is its value at that moment. */
  delIf(key: string, value: Bytes, agent: string): Promise<Conditional>;

  /**
   * Reads and deletes, in one step, the oldest key selected: the one that has been there longest, whoever has written it since. Keys that only
   * foreign clients wrote come after all others, in no order; those that are not plain strings never. `null`: there is none. However many take
   * at once, each key goes to one of them. One log entry (`del`).
   */
  take(selection: KeySelection, agent: string): Promise<Taken | null>;

  /** How many of the names exist; a name given twice counts twice, as in Redis. */
  exists(keys: readonly string[]): Promise<number>;

  /**
   * The matching keys, in batches, in no order. A key that exists during the whole listing comes exactly once; one that
   * is written or deleted meanwhile comes at most once; unless they may repeat. The board's own bookkeeping never comes.
   */
  keys(pattern: string, options?: KeysOptions): AsyncIterable<readonly string[]>;

  /** What is known of each key, in the order given; `null` for one that is absent. */
  describe(keys: readonly string[]): Promise<ReadonlyArray<KeyFacts | null>>;

  /** The same with the values, each value and its facts of one moment. Values over `mostBytes` are left out. */
  read(keys: readonly string[], mostBytes: number): Promise<ReadonlyArray<Reading | null>>;

  /** Milliseconds left (rounded up to 1), `null` if the key does not expire, `undefined` if it is absent. */
  ttl(key: string): Promise<number | null | undefined>;

  /** Sets the milliseconds to live, or `null`: none. False if the key is absent. */
  expire(key: string, ttlMs: number | null): Promise<boolean>;

  /** The same, if this is the key's value at that moment. */
  expireIf(key: string, value: Bytes, ttlMs: number | null): Promise<Conditional>;

  /**
   * Adds to the decimal integer at the key (absent: 0) and returns the sum; the time to live stays, a new key has
   * none. Numbers are 64-bit signed; a value that is not one (`01`, ` 1`, `1.0` are not), or a sum beyond: `conflict`.
   */
  incr(key: string, by: bigint, agent: string): Promise<bigint>;

  /** Appends a message to the channel's log and hands it to every live follower. */
  publish(channel: string, payload: Bytes, agent: string): Promise<PublishResult>;

  /** The number of the last log entry; every later one has a greater number (see `ids.ts`). */
  position(): Promise<number>;

  /**
   * Follows channels, or keys: first, with `from`, what is retained from there on, then every message or change logged, or made by
   * a foreign client, after `ready`; each exactly once, by id over the whole selection, foreign ones as they come. Not `live`: it ends with
   * the last entry that was logged when it began. If the store goes away the follower says so, comes back by itself and
   * takes from the log what it missed; so does one whose loop is too slow, and memory stays bounded.
   * Where retention has dropped what the follower was to get, a `Gap` comes just before that channel's next message (of changes: the next
   * change of any key), or at the end of what was read from the log if there is none. `{ last }` asks for nothing that was dropped.
   *
   * While keys are followed live, an expiry is logged within a second of its time, once, however many follow, although nobody reads the
   * key. What is overdue when following begins, or changes are replayed, is logged first, as much as can be in a second (the rest comes
   * as news). A `set` whose value is not in the log comes without it (`value: null`); the board fetches it by `read`. A foreign
   * client's changes come only where the server tells of them (else `onState` says `partial`, but for expiries alone), without a value, and
   * not those made while the store was away or the loop was too slow to take them.
   */
  follow<Of extends AnySelection>(selection: Of, options: FollowOptions): Follower<EntryOf<Of> | Gap>;

  /**
   * Joins the workers of the consumer of this name, and makes the consumer if it is new. See `worker.ts`. Each channel
   * has a position of its own; a channel the consumer has not read yet is read from where the consumer began.
   * A consumer of changes has one position among the changes of all keys, and all of its workers the same selection (in whatever order): another one is
   * refused (`conflict`) while one of them lives. So is a consumer's change between messages and changes, always.
   * No messages, or no changes, are kept at all (`history.messagesPerChannel` or `history.changes` is 0): `config`.
   */
  work<Of extends AnySelection>(
    consumer: string,
    selection: Of,
    options: WorkerOptions,
  ): Promise<Worker<EntryOf<Of>>>;

  /** The board's consumers, in no order. */
  consumers(): Promise<readonly ConsumerFacts[]>;

  /** Forgets a consumer, its positions and what is pending; its workers end with `conflict`. False if there is none. */
  deleteConsumer(consumer: string): Promise<boolean>;

  /**
   * Grants a slot of the lock, if one is free that nobody in line is to have; else `null`. See `lock.ts`. A token that holds one already gets the
   * same grant again, its time begun anew: a call without an answer may be repeated.
   */
  tryLock(lock: string, request: LockRequest): Promise<Grant | null>;

  /**
   * The same, but stands in line until it is granted. Nobody polls: a release, or the end of a grant's time, wakes who is next. `null` once `signal`
   * is aborted; then it has left the line, and what may have been granted in that moment is given back, as far as the store can be told.
   * It waits over absences of the store; who was away too long may have lost his place. `unknown` if it may hold the lock all the same, because the
   * store could be told neither before nor after.
   */
  awaitLock(lock: string, request: LockRequest, patience: LockPatience): Promise<Grant | null>;

  /** Begins the time of the token's grant anew; `null` if the token holds nothing any more. */
  refreshLock(lock: string, token: string, options: RefreshOptions): Promise<Grant | null>;

  /** Gives back what the token holds, and leaves the line. False if it held nothing. */
  releaseLock(lock: string, token: string): Promise<boolean>;

  /** The board's locks that are held or waited for, in no order; with a name that one, if it is. */
  locks(lock: string | null): Promise<readonly LockFacts[]>;

  /** The channels that match and have retained messages or live followers, each once, in no order. */
  channels(pattern: string): Promise<readonly ChannelFacts[]>;

  /** The one store for steps that belong together (list, then delete): they never run half here and half there. Only `auto` has more than itself to offer. */
  pin(): Promise<Backend>;

  /** From now on operations are asked for without waiting for the answers of those before; their effects come in that order, whatever the server forgets or others do. */
  keepOrder(): void;

  /** Which store answers and why, and the facts of every store that is in use. */
  status(): Promise<BackendStatus>;

  /**
   * Lets go of files, sockets and timers, and waits for no server. Followers end after what they hold in memory; what workers hold
   * comes to others when its time is up, unless they were closed before. Safe to call twice. Nothing may be
   * called after: it is refused, and `follow` then rejects `ready`.
   */
  close(): Promise<void>;
}

export interface SetOptions {
  readonly ttlMs: TtlMs;
  readonly condition: Condition | null;
  readonly fence: Fence | null;
  readonly agent: string;
}

export interface KeysOptions {
  /** They are deleted as they come: a store may list them in an order in which that is cheap. */
  readonly toDelete?: boolean;
  /** Whoever asks drops repetitions: a store that comes upon a key more than once need not note which have come. */
  readonly mayRepeat?: boolean;
}

export interface DelOptions {
  readonly agent: string;
  readonly unwrittenForMs?: number;
}

export interface FollowOptions {
  /** Told when the store goes away and when it is back. */
  readonly onState: (state: FollowState) => void;
  /** `null`: with what comes from now on. */
  readonly from: Start | null;
  /** Whether to go on with what comes after that. */
  readonly live: boolean;
}

/** A running subscription. Iterate it once; leaving the loop closes it. */
export interface Follower<Item = Message> extends AsyncIterable<Item> {
  /** Resolves when no message sent from now on can be missed; rejects if the store cannot be followed. */
  readonly ready: Promise<void>;
  /** Ends the iteration after what has already arrived. Safe to call twice. */
  close(): Promise<void>;
}
