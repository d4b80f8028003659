/** The shapes both stores speak: what goes in, what comes out. */

/** Any bytes. Values and payloads are never trimmed, re-encoded or interpreted. */
export type Bytes = Uint8Array;

/** Which of the two stores. */
export type StoreName = "redis" | "memory";

/** Milliseconds to live; `null`: for ever; `"keep"`: what the key has now (for ever, if it is new). */
export type TtlMs = number | null | "keep";

/** Who wrote something and when. `null`: not known, because a foreign client wrote it. */
export interface Provenance {
  /** The agent that wrote last. Attribution, not authentication. */
  readonly by: string | null;
  /** When, in milliseconds since the epoch. */
  readonly at: number | null;
}

/** What a listing tells about a key. */
export interface KeyFacts extends Provenance {
  readonly key: string;
  /** The log entry of its last write; `null` if a foreign client wrote it. */
  readonly id: string | null;
  /** Since the last write, in milliseconds by the store's own clock; `null` if `at` is. */
  readonly ageMs: number | null;
  /** Milliseconds left; `null`: does not expire. */
  readonly ttlMs: number | null;
  /** Bytes of the value; `null` for a foreign key that is not a plain string. */
  readonly size: number | null;
}

/** A key's value with what is known of it, both of one moment. */
export interface Reading extends KeyFacts {
  /** `null`: larger than was asked for, or (with no `size`) not a plain string. */
  readonly value: Buffer | null;
}

/** A key that was read and deleted in one step. */
export interface Taken extends Reading {
  readonly value: Buffer;
}

/** What became of a `publish`. */
export interface PublishResult {
  /** Live followers it reached. */
  readonly receivers: number;
  /** Its entry in the log. */
  readonly id: string;
}

/** A message as a follower gets it. */
export interface Message {
  readonly channel: string;
  readonly payload: Buffer;
  /** Its log entry; `null` for a foreign client's plain PUBLISH, which no log holds. */
  readonly id: string | null;
  /** Who sent it; `null` for a foreign client. */
  readonly by: string | null;
  /** When it was sent (foreign: received), in milliseconds since the epoch. */
  readonly at: number;
  /** Why it is here, if a consumer could not handle it and passed it on to `CHANNEL:failed`; else `null`. */
  readonly failure: Failure | null;
}

/** What happens to a key. */
export type ChangeEvent = "set" | "del" | "expired";

/** A change of a key as a watcher gets it. */
export interface Change {
  readonly event: ChangeEvent;
  readonly key: string;
  /**
   * What was set. `null` for the other events; and where the value is in no log (it is over 64 KiB, or a foreign client wrote
   * it) and there is none of this write any more: the key was written or deleted again since.
   */
  readonly value: Buffer | null;
  /** Bytes of what was set; `null` for the other events, and if it is not known. */
  readonly size: number | null;
  /** Its log entry, and who made it; `null` for a foreign client's change. An expiry is nobody's. */
  readonly id: string | null;
  readonly by: string | null;
  /** When it was made (foreign: heard of), in milliseconds since the epoch. */
  readonly at: number;
  /** Nothing happened: the value was there when watching began (asked for by `initial`). */
  readonly isInitial: boolean;
}

/** What the log holds. */
export type Entry = Message | Change;

/** What became of a message or a change that a consumer gave up. A message itself is passed on byte for byte. */
export interface Failure {
  /** The channel it was sent to; `null`: it was a change. */
  readonly channel: string | null;
  /** The key that changed, and how; `null`: it was a message. */
  readonly key: string | null;
  readonly event: ChangeEvent | null;
  /** Its log entry, and who made it (an expiry: nobody, `null`). */
  readonly id: string;
  readonly by: string | null;
  /** The consumer that gave it up, after so many attempts, and what the last one ended with. */
  readonly consumer: string;
  readonly attempts: number;
  readonly reason: string;
}

/** Stands for messages of one channel, or changes of keys, that retention dropped before they were read. */
export interface Gap {
  readonly gap: {
    /** `null`: of the changes, whichever keys they were of. */
    readonly channel: string | null;
    /** Nothing is missing up to this id (the last one read, or where reading began) … */
    readonly after: string;
    /** … nor from this one on, the next that is there; `null`: none is. */
    readonly next: string | null;
  };
}

/** Where a follower begins. */
export type Start =
  /** The newest so many entries of the selection as a whole (`Infinity`: all), or what is retained of them. */
  | { readonly last: number }
  /** Behind an id: the first number that is not wanted any more (see `ids.ts`). */
  | { readonly after: number }
  /** A moment, in milliseconds since the epoch. */
  | { readonly sinceMs: number }
  /** So many milliseconds ago, by the store's clock. */
  | { readonly agoMs: number };

/** The messages of channels. */
export interface Selection {
  /** Channels by their exact names. */
  readonly channels: readonly string[];
  /** Channels by Redis globs. */
  readonly patterns: readonly string[];
}

/** The changes of keys. */
export interface KeySelection {
  /** Keys by their exact names. */
  readonly keys: readonly string[];
  /** Keys by Redis globs. */
  readonly patterns: readonly string[];
}

/** What to follow. */
export type AnySelection = Selection | KeySelection;

/** What comes of following it. */
export type EntryOf<Of extends AnySelection> = Of extends KeySelection ? Change : Message;

/** What a follower or a worker says about its store. */
export type FollowState =
  /** The store is away; messages will be caught up from the log when it is back. */
  | { readonly state: "away"; readonly store: StoreName; readonly reason: string }
  /** It is back, and the `recovered` messages that were sent meanwhile have been read from the log. */
  | {
      readonly state: "back";
      readonly store: StoreName;
      readonly awayMs: number;
      readonly recovered: number;
    }
  /**
   * A consumer's only worker keeps to the order: before anything newer it is to get `held` messages that a lost worker holds,
   * as soon as that one's ack timeout is over, in `atMostMs` milliseconds at the latest. Told once a wait.
   */
  | {
      readonly state: "waiting";
      readonly store: StoreName;
      readonly held: number;
      readonly atMostMs: number;
    }
  /** It follows, but foreign clients' changes of keys are not heard, because the server does not tell of them. Told once. */
  | { readonly state: "partial"; readonly store: StoreName; readonly reason: string };

/** A channel with retained messages or live followers. */
export interface ChannelFacts {
  readonly channel: string;
  /** Retained messages. */
  readonly messages: number;
  /** Live followers, patterns included. On redis, foreign clients' patterns cannot be seen and are not counted. */
  readonly followers: number;
  /** The newest retained message; `null` if there is none. */
  readonly lastId: string | null;
}

/** What is known of a consumer. */
export interface ConsumerFacts {
  readonly consumer: string;
  /** By channel: those it has read from, and those of its selection that have something for it. */
  readonly channels: readonly ConsumerChannel[];
  /** Its workers, the dead ones as long as they hold messages. */
  readonly workers: readonly WorkerFacts[];
}

export interface ConsumerChannel {
  /** `null`: the changes of keys. */
  readonly channel: string | null;
  /** Up to here messages were handed to workers; where the consumer began, if none was. */
  readonly position: string;
  /** Handed to a worker and not acknowledged yet. */
  readonly pending: number;
  /** Retained and not handed to anybody yet. */
  readonly lag: number;
}

export interface WorkerFacts {
  readonly worker: string;
  readonly pending: number;
  /** Whether its process is there. */
  readonly isAlive: boolean;
}

/** What `status` shows of one store. Values are short texts or numbers, never secrets. */
export interface StoreStatus {
  readonly store: StoreName;
  /** Where it is: a URL without password, or a file. */
  readonly place: string;
  /** Round trip of one small read, in milliseconds. */
  readonly latencyMs: number;
  /** Keys of this board now. */
  readonly keys: number;
  /** Retained messages of this board, over all channels. */
  readonly messages: number;
  /** Channels with retained messages. */
  readonly channels: number;
  /** Live followers of this board that timmy-bb can see. */
  readonly followers: number;
  /** Locks of this board that are held now. */
  readonly locks: number;
  /** Changes and messages written here because redis was away; always 0 on redis. */
  readonly unsynced: number;
  /** More about the store itself: version, durability, memory, file size. */
  readonly facts: Readonly<Record<string, string | number>>;
}

/** Which store answers, why, and the facts of each store in use. */
export interface BackendStatus {
  readonly store: StoreName;
  /** One sentence: why this store. */
  readonly why: string;
  readonly stores: readonly StoreStatus[];
}
