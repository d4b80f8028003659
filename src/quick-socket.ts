/**
 * A socket straight over Node's own handles. `node:net` with its streams takes 4 ms to load, a sixth of what Node itself takes to start
 * (measured); a call that sends a line and reads one needs nothing of it. The handles are no public interface of Node (tried on
 * 20, 24 and 26), so only the command uses them, only where it has nothing to resolve, and
 * whatever is not as expected, or fails before it is connected, is left to `node:net`, which then says what is wrong.
 */
import { getSystemErrorName } from "node:util";
import type { RawSocket, SocketEvents, SocketTarget } from "./runtime.ts";

/** What libuv's requests and streams are, as far as they are used here. */
interface Handle {
  onread: ((bytes: ArrayBuffer | undefined) => void) | null;
  connect(request: Request, ...place: readonly (string | number)[]): number;
  writeBuffer(request: Request, bytes: Uint8Array): number;
  readStart(): number;
  setNoDelay?(on: boolean): number;
  close(): void;
}
interface Request {
  oncomplete: (status: number) => void;
  /** Kept alive until it is sent. */
  bytes?: Uint8Array;
}
type Kind<Made> = new (type?: number) => Made;
interface Bindings {
  readonly Wrap: Kind<Handle>;
  readonly Connecting: Kind<Request>;
  readonly Writing: Kind<Request>;
  readonly state: Int32Array;
  readonly readLength: number;
  readonly readOffset: number;
}

/** A socket of a client, in both bindings. */
const CLIENT = 0;
/** libuv's end of a stream. */
const END = -4095;

/** @returns `null` if the target is one for `node:net` */
export function openQuickly(
  target: SocketTarget,
  events: SocketEvents,
  otherwise: () => RawSocket,
): RawSocket | null {
  const place = placeOf(target);
  const bindings = place && bindingsFor(target);
  if (place === null || bindings === null) return null;
  return new QuickSocket(bindings, place, events, otherwise);
}

/** A host's name would have to be looked up; that of this machine's loopback is known. */
function placeOf(target: SocketTarget): readonly (string | number)[] | null {
  if ("socketPath" in target) return [target.socketPath];
  if (target.host === "localhost") return ["127.0.0.1", target.port];
  return /^\d+\.\d+\.\d+\.\d+$/.test(target.host) ? [target.host, target.port] : null;
}

function bindingsFor(target: SocketTarget): Bindings | null {
  // Whoever asks to be warned of what will go would be warned of this.
  const flags = [process.env.NODE_OPTIONS, ...process.execArgv].join(" ");
  if (/pending[-_]deprecation/.test(flags) || process.env.NODE_PENDING_DEPRECATION) return null;
  try {
    return bind("socketPath" in target ? "Pipe" : "TCP");
  } catch {
    return null; // another Node than those that are known
  }
}

function bind(kind: "Pipe" | "TCP"): Bindings | null {
  const binding = Reflect.get(process, "binding") as (name: string) => Record<string, unknown>;
  const own = binding.call(process, `${kind.toLowerCase()}_wrap`);
  const { WriteWrap, streamBaseState, kReadBytesOrError, kArrayBufferOffset } = binding.call(
    process,
    "stream_wrap",
  );
  const isKnown =
    typeof own[kind] === "function" &&
    typeof own[`${kind}ConnectWrap`] === "function" &&
    typeof WriteWrap === "function" &&
    streamBaseState instanceof Int32Array;
  if (!isKnown) return null;
  return {
    Wrap: own[kind] as Kind<Handle>,
    Connecting: own[`${kind}ConnectWrap`] as Kind<Request>,
    Writing: WriteWrap as Kind<Request>,
    state: streamBaseState,
    readLength: Number(kReadBytesOrError),
    readOffset: Number(kArrayBufferOffset),
  };
}

class QuickSocket implements RawSocket {
  readonly #bindings: Bindings;
  readonly #events: SocketEvents;
  readonly #handle: Handle;
  /** What is asked for before it is connected. */
  #unsent: Uint8Array[] = [];
  #state: "connecting" | "open" | "over" = "connecting";
  /** Who does it in our place, because this did not connect. */
  #other: RawSocket | null = null;

  constructor(
    bindings: Bindings,
    place: readonly (string | number)[],
    events: SocketEvents,
    otherwise: () => RawSocket,
  ) {
    this.#bindings = bindings;
    this.#events = events;
    this.#handle = new bindings.Wrap(CLIENT);
    const request = new bindings.Connecting();
    request.oncomplete = (status) => {
      if (this.#state === "over") return;
      if (status === 0) this.#open();
      else this.#leaveTo(otherwise);
    };
    if (connectTo(this.#handle, request, place) !== 0) queueMicrotask(() => request.oncomplete(-1));
  }

  write(bytes: Uint8Array): void {
    if (this.#other !== null) this.#other.write(bytes);
    else if (this.#state === "connecting") this.#unsent.push(bytes);
    else if (this.#state === "open") this.#send(bytes);
  }

  #send(bytes: Uint8Array): void {
    const request = new this.#bindings.Writing();
    request.bytes = bytes;
    request.oncomplete = (status) => status < 0 && this.#end(status);
    const status = this.#handle.writeBuffer(request, bytes);
    if (status < 0) queueMicrotask(() => this.#end(status));
  }

  destroy(): void {
    queueMicrotask(() => {
      if (this.#other === null) this.#end(END);
      else this.#other.destroy();
    });
  }

  #open(): void {
    this.#state = "open";
    this.#handle.setNoDelay?.(true);
    this.#handle.onread = (buffer) => this.#hear(buffer);
    this.#handle.readStart();
    this.#events.onOpen();
    for (const bytes of this.#unsent) this.#send(bytes);
    this.#unsent = [];
  }

  #hear(buffer: ArrayBuffer | undefined): void {
    const { state, readLength, readOffset } = this.#bindings;
    const length = state[readLength] ?? 0;
    if (length < 0) this.#end(length);
    else if (length > 0 && buffer !== undefined && this.#state === "open") {
      this.#events.onData(Buffer.from(buffer, state[readOffset] ?? 0, length));
    }
  }

  #leaveTo(otherwise: () => RawSocket): void {
    this.#handle.close();
    this.#other = otherwise();
    for (const bytes of this.#unsent) this.#other.write(bytes);
  }

  #end(status: number): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#handle.close();
    this.#events.onEnd(status === END ? undefined : getSystemErrorName(status));
  }
}

function connectTo(handle: Handle, request: Request, place: readonly (string | number)[]): number {
  try {
    return handle.connect(request, ...place) ?? 0; // newer Nodes throw instead
  } catch {
    return -1;
  }
}
