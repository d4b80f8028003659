/**
 * A connection by ioredis: for TLS, and for those who listen. The only file that knows ioredis, which is loaded when the
 * first one opens.
 *
 * ioredis is told to do nothing by itself: no retry, no queue, no resending, no password, no database. Its error
 * objects carry `command.args` (values, passwords), so none leaves this file, not even as a cause.
 */
import { inspect } from "node:util";
import type { Redis, RedisOptions } from "ioredis";
import { codeOf } from "../../core/errors.ts";
import { encodeName } from "../../core/names.ts";
import type { RedisAddress } from "../../core/redis-url.ts";
import { type Argument, ConnectError, type ListeningConnection, type MessageListener } from "./connection.ts";
import { ConnectionLostError, ServerReplyError } from "./errors.ts";
import type { Reply } from "./replies.ts";

/** ioredis tells its two shapes of reply apart by this in its types. */
type Legacy = { readonly replyMapping?: "legacy" };

const SILENT: RedisOptions & Legacy = {
  lazyConnect: true,
  retryStrategy: () => null,
  maxRetriesPerRequest: null,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableReadyCheck: false,
  disableClientInfo: true,
  protocol: 2,
  connectTimeout: 0, // the caller's deadline is the only one
};

export class IoredisConnection implements ListeningConnection {
  readonly #client: Redis;
  readonly #ended: Promise<void>;
  #code: string | undefined;
  #spokeGibberish = false;
  #isGathering = false;

  private constructor(client: Redis) {
    this.#client = client;
    this.#ended = new Promise((resolve) => {
      client.once("end", () => resolve());
    });
    client.on("error", (error: unknown) => this.#note(error));
  }

  /** Loads ioredis; the object does nothing before `connect`. */
  static async to(address: RedisAddress): Promise<IoredisConnection> {
    // The default export: the only one that a bundler finds in a CommonJS package loaded dynamically.
    const { default: ioredis } = await import("ioredis");
    return new IoredisConnection(new ioredis.Redis(toOptions(address)));
  }

  async connect(): Promise<void> {
    try {
      await this.#client.connect();
    } catch {
      throw new ConnectError(this.#code); // what was thrown only says "Connection is closed."
    }
  }

  get usable(): boolean {
    return this.#client.status === "ready" && this.#client.stream.writable;
  }

  get spokeGibberish(): boolean {
    return this.#spokeGibberish;
  }

  get code(): string | undefined {
    return this.#code;
  }

  get ended(): Promise<void> {
    return this.#ended;
  }

  async call(command: string, ...args: readonly Argument[]): Promise<Reply> {
    this.#gather();
    try {
      return (await this.#client.callBuffer(command, args.map(toWire))) as Reply;
    } catch (error) {
      if (error instanceof Error && error.name === "ReplyError") throw new ServerReplyError(error.message);
      throw new ConnectionLostError("the connection was lost");
    }
  }

  onMessage(listener: MessageListener): void {
    this.#client.on("messageBuffer", (channel: Buffer, payload: Buffer) => listener(null, channel, payload));
    this.#client.on("pmessageBuffer", (pattern: string, channel: Buffer, payload: Buffer) =>
      listener(pattern, channel, payload),
    );
  }

  /** Ends it at once: `quit` would wait for a stopped server, and so would `disconnect` alone, for 2 s. */
  destroy(): void {
    if (this.#client.stream?.destroyed) return; // by all whose command was lost with it; each would leave a listener
    this.#client.disconnect();
    this.#client.stream?.destroy();
  }

  /** What is sent before anything else happens goes out in one write: each is a system call, and many may be sent at once. */
  #gather(): void {
    const { stream } = this.#client;
    if (this.#isGathering || !stream?.writable) return;
    this.#isGathering = true;
    stream.cork();
    process.nextTick(() => {
      this.#isGathering = false;
      stream.uncork();
    });
  }

  #note(error: unknown): void {
    const first = error instanceof AggregateError ? error.errors[0] : error; // one error for each address of a name
    this.#code = codeOf(first) ?? this.#code;
    if (error instanceof Error && error.message.endsWith("Please report this.")) this.#spokeGibberish = true;
  }
}

function toOptions({ target, tls }: RedisAddress): RedisOptions & Legacy {
  const options = { ...SILENT, ...(tls ? { tls: {} } : {}) };
  if ("socketPath" in target) return { ...options, path: target.socketPath };
  return { ...options, host: target.host, port: target.port };
}

/** The bytes of an argument, which nothing can print: `DEBUG=ioredis:*` writes every argument to stderr. */
function toWire(argument: Argument): Buffer | number {
  if (typeof argument === "number") return argument;
  const bytes =
    typeof argument === "string"
      ? encodeName(argument)
      : Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
  return Object.setPrototypeOf(bytes, HIDDEN);
}

const hide = (): string => "<hidden>";
const HIDDEN = Object.create(Buffer.prototype, {
  toString: { value: hide },
  toJSON: { value: hide },
  [inspect.custom]: { value: hide },
});
