/** A connection straight over a socket: for whoever only asks, in the clear. */
import { openSocket, type RawSocket, type SocketTarget } from "../../runtime.ts";
import { CommandWriter } from "./command-writer.ts";
import { type Argument, ConnectError, type Connection } from "./connection.ts";
import { ConnectionLostError, ServerReplyError } from "./errors.ts";
import type { Reply } from "./replies.ts";
import { ProtocolError, ReplyReader } from "./reply-reader.ts";
import { Waiters } from "./waiters.ts";

export class DirectConnection implements Connection {
  readonly #target: SocketTarget;
  readonly #commands = new CommandWriter();
  readonly #waiters = new Waiters();
  readonly #replies = new ReplyReader((reply) => this.#settle(reply));
  readonly ended: Promise<void>;
  #tellEnd = (): void => {};
  #socket: RawSocket | null = null;
  #state: "new" | "open" | "over" = "new";
  #code: string | undefined;
  #spokeGibberish = false;
  #isGathering = false;

  /** Does nothing before `connect`. */
  constructor(target: SocketTarget) {
    this.#target = target;
    this.ended = new Promise((resolve) => {
      this.#tellEnd = resolve;
    });
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const onOpen = (): void => {
        if (this.#state === "new") this.#state = "open";
        resolve();
      };
      const onEnd = (code: string | undefined): void => {
        this.#end(code);
        reject(new ConnectError(code));
      };
      this.#socket = openSocket(this.#target, { onOpen, onEnd, onData: (bytes) => this.#read(bytes) });
    });
  }

  get usable(): boolean {
    return this.#state === "open";
  }

  get spokeGibberish(): boolean {
    return this.#spokeGibberish;
  }

  get code(): string | undefined {
    return this.#code;
  }

  call(command: string, ...args: readonly Argument[]): Promise<Reply> {
    if (this.#state !== "open") return Promise.reject(lost());
    this.#commands.add(command, args);
    this.#gather();
    return this.#waiters.next();
  }

  destroy(): void {
    this.#state = "over";
    this.#socket?.destroy();
  }

  /** Each write is a system call, and many commands may be asked for at once. */
  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    process.nextTick(() => {
      this.#isGathering = false;
      for (const bytes of this.#commands.take()) this.#socket?.write(bytes);
    });
  }

  #read(bytes: Buffer): void {
    if (this.#state !== "open") return;
    try {
      this.#replies.read(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#spokeGibberish = true;
      this.destroy();
    }
  }

  #settle(reply: Reply | ServerReplyError): void {
    const waiter = this.#waiters.take();
    if (waiter === undefined) throw new ProtocolError("an answer to nothing");
    if (reply instanceof ServerReplyError) waiter.reject(reply);
    else waiter.resolve(reply);
  }

  #end(code: string | undefined): void {
    this.#state = "over";
    this.#code = code;
    const error = lost();
    for (let waiter = this.#waiters.take(); waiter; waiter = this.#waiters.take()) waiter.reject(error);
    this.#tellEnd();
  }
}

function lost(): ConnectionLostError {
  return new ConnectionLostError("the connection was lost");
}
