/**
 * One connection to a Redis server: what everything else knows of it. Whatever makes it, nothing happens by itself on it: no
 * retry, no queue, no resending, no password, no database; and no error holds a value or a password.
 */
import type { Reply } from "./replies.ts";

/** A string is a name in the sense of `names.ts`, or plain text. Bytes must not change before the answer comes. */
export type Argument = string | Uint8Array | number;

export interface Connection {
  /** Before anything else, once. @throws ConnectError */
  connect(): Promise<void>;
  /** Whether a command can be sent at all. */
  readonly usable: boolean;
  /** What the other side sent was not the Redis protocol. */
  readonly spokeGibberish: boolean;
  /** The last error the socket gave. */
  readonly code: string | undefined;
  /** Resolves when the connection is gone, whoever ended it. */
  readonly ended: Promise<void>;
  /**
   * Commands are answered in the order of the calls; those called before anything else happens go out in one write.
   * @throws ServerReplyError or ConnectionLostError
   */
  call(command: string, ...args: readonly Argument[]): Promise<Reply>;
  /** Ends it at once, also while it connects. What is not answered is lost. */
  destroy(): void;
}

/** `pattern` is `null` for a channel subscribed by its own name. */
export type MessageListener = (pattern: string | null, channel: Buffer, payload: Buffer) => void;

/** One that can be subscribed on. */
export interface ListeningConnection extends Connection {
  onMessage(listener: MessageListener): void;
}

/** Why a connection could not be made. Internal: it never leaves this folder. */
export class ConnectError extends Error {
  /** What the socket said; `undefined` if it was only closed. */
  readonly code: string | undefined;

  constructor(code: string | undefined) {
    super("the connection could not be made");
    this.code = code;
  }
}
