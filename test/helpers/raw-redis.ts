/** A plain Redis client that knows nothing of timmy-bb: the oracle, and the foreign client on the board. */
import { Redis } from "ioredis";

/** What a server answers, bytes as bytes. */
export type RawReply = Buffer | number | null | RawReply[];

export class RawRedis {
  readonly #client: Redis;

  private constructor(client: Redis) {
    this.#client = client;
  }

  static async connect(url: string): Promise<RawRedis> {
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
    client.on("error", () => {}); // the call that failed has the error
    await client.connect();
    return new RawRedis(client);
  }

  async call(command: string, ...args: ReadonlyArray<string | Uint8Array | number>): Promise<RawReply> {
    const words = args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg) : arg));
    return (await this.#client.callBuffer(command, ...words)) as RawReply;
  }

  /** A reply that is a list of byte strings. */
  async list(command: string, ...args: ReadonlyArray<string | Uint8Array | number>): Promise<Buffer[]> {
    const reply = await this.call(command, ...args);
    if (!Array.isArray(reply)) throw new Error(`${command} did not answer with a list`);
    return reply.filter((item) => Buffer.isBuffer(item));
  }

  /** The next plain message on a channel, by a connection of its own; resolves once subscribed. */
  async nextMessage(channel: string): Promise<{ readonly message: Promise<Buffer> }> {
    const listener = this.#client.duplicate();
    listener.on("error", () => {}); // the call that failed has the error
    await listener.connect();
    const message = new Promise<Buffer>((resolve) => {
      listener.once("messageBuffer", (_channel: Buffer, payload: Buffer) => {
        listener.disconnect();
        resolve(payload);
      });
    });
    await listener.subscribe(channel);
    return { message };
  }

  close(): void {
    this.#client.disconnect();
  }
}
