/**
 * What differs between the two runtimes the command runs on, Node and the standalone executable: the only file that knows
 * which of them it is.
 */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { userInfo } from "node:os";
import { openQuickly } from "./quick-socket.ts";

/**
 * True in the executable alone, undefined where a test loads this file as it is. To be asked in place and by `?:`: only
 * then does a build leave out the other half of this file, and load nothing for it.
 */
declare const TIMMY_BB_STANDALONE: boolean | undefined;
/** True in the command on Node alone. */
declare const TIMMY_BB_COMMAND: boolean | undefined;

/** Where a server listens. */
export type SocketTarget = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** What a socket tells its owner. Nothing comes after `onEnd`. */
export interface SocketEvents {
  /** It is connected. */
  onOpen(): void;
  /** Bytes of the other side; they are the receiver's to keep. */
  onData(bytes: Buffer): void;
  /** It is gone, or was never there. `code`: what the system said, such as `ECONNREFUSED`; `undefined` if it was only closed. */
  onEnd(code: string | undefined): void;
}

/** A connected stream of bytes, without delay (TCP_NODELAY). */
export interface RawSocket {
  /** Sent in order, as soon as it is connected. */
  write(bytes: Uint8Array): void;
  /** Ends it at once; what is not sent yet is dropped. `onEnd` is told. */
  destroy(): void;
}

/** Begins to connect. Without a deadline of its own. */
export function openSocket(target: SocketTarget, events: SocketEvents): RawSocket {
  return typeof TIMMY_BB_STANDALONE !== "undefined" && TIMMY_BB_STANDALONE
    ? new BunConnection(target, events)
    : (quickly(target, events) ?? openOnNode(target, events));
}

/** The command alone: a program that uses the library may load what it likes. */
function quickly(target: SocketTarget, events: SocketEvents): RawSocket | null {
  if (typeof TIMMY_BB_COMMAND === "undefined" || !TIMMY_BB_COMMAND) return null;
  return openQuickly(target, events, () => openOnNode(target, events));
}

function openOnNode(target: SocketTarget, events: SocketEvents): RawSocket {
  const socket: Socket = connect(
    "socketPath" in target ? { path: target.socketPath } : { ...target, noDelay: true },
  );
  let code: string | undefined;
  socket.once("connect", () => events.onOpen());
  socket.on("data", (bytes: Buffer) => events.onData(bytes));
  socket.on("error", (error: Error & { code?: string; errors?: readonly { code?: string }[] }) => {
    code = error.errors?.[0]?.code ?? error.code; // one error for each address of a name
  });
  let hasEnded = false;
  const end = (): void => {
    if (!hasEnded) events.onEnd(code);
    hasEnded = true;
  };
  socket.once("close", end);
  socket.once("end", () => {
    socket.destroy();
    end(); // at once: whoever writes before it is closed would not know whether that arrived
  });
  return { write: (bytes) => socket.write(bytes), destroy: () => socket.destroy() };
}

/** Bun's own socket: its `node:net` alone would cost a call as much again as all the rest (8 ms of 18, measured). */
declare const Bun: {
  connect(options: { readonly socket: BunEvents } & BunTarget): Promise<unknown>;
};

type BunTarget = { readonly hostname: string; readonly port: number } | { readonly unix: string };

interface BunSocket {
  /** How many bytes the system took, -1 if the connection is gone. `drain` tells when it takes more. */
  write(bytes: Uint8Array): number;
  terminate(): void;
}

interface BunEvents {
  readonly binaryType: "buffer";
  open(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Buffer): void;
  drain(socket: BunSocket): void;
  close(socket: BunSocket, error?: { readonly code?: string }): void;
  /** What one of these functions has thrown. */
  error(socket: BunSocket, thrown: unknown): void;
  connectError(socket: BunSocket, error: { readonly code?: string }): void;
}

class BunConnection implements RawSocket {
  readonly #events: SocketEvents;
  /** Not before it is connected. */
  #socket: BunSocket | null = null;
  /** What the system has not taken yet. */
  #unsent: Uint8Array[] = [];
  #hasEnded = false;

  constructor(target: SocketTarget, events: SocketEvents) {
    this.#events = events;
    const place =
      "socketPath" in target ? { unix: target.socketPath } : { hostname: target.host, port: target.port };
    Bun.connect({ ...place, socket: this.#listening() }).catch(() => {}); // `connectError` is told the same
  }

  write(bytes: Uint8Array): void {
    if (this.#hasEnded) return;
    this.#unsent.push(bytes);
    if (this.#unsent.length === 1) this.#send(); // else they wait for `drain`, or to be connected
  }

  /** A connection that is being made cannot be given up; it is ended when it is there. */
  destroy(): void {
    this.#socket?.terminate();
    this.#endLater(undefined);
  }

  #listening(): BunEvents {
    return {
      binaryType: "buffer",
      open: (socket) => this.#open(socket),
      data: (_, bytes) => this.#hear(bytes),
      drain: () => this.#send(),
      close: (_, error) => this.#end(error?.code),
      error: (_, thrown) => {
        queueMicrotask(() => {
          throw thrown; // as on Node: a fault of ours is not the connection's
        });
      },
      connectError: (_, error) => this.#endLater(error.code), // a missing unix socket is told within `connect`
    };
  }

  #open(socket: BunSocket): void {
    if (this.#hasEnded) {
      socket.terminate();
      return;
    }
    this.#socket = socket;
    this.#send();
    this.#events.onOpen();
  }

  #hear(bytes: Buffer): void {
    if (!this.#hasEnded) this.#events.onData(bytes);
  }

  /** In one system call what there is. */
  #send(): void {
    if (this.#socket === null || this.#unsent.length === 0) return;
    const [first = NOTHING] = this.#unsent;
    const all = this.#unsent.length === 1 ? first : Buffer.concat(this.#unsent);
    const sent = Math.max(0, this.#socket.write(all));
    this.#unsent = sent < all.length ? [all.subarray(sent)] : [];
  }

  #endLater(code: string | undefined): void {
    queueMicrotask(() => this.#end(code));
  }

  #end(code: string | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#unsent = [];
    this.#events.onEnd(code);
  }
}

const NOTHING = new Uint8Array(0);

/** Who runs this, by the system's own list of users; numeric users, as in containers, may not be in it. */
export function userName(): string {
  const nobody = `uid${process.getuid?.() ?? ""}`;
  try {
    if (typeof TIMMY_BB_STANDALONE !== "undefined" && TIMMY_BB_STANDALONE) return listedUser() ?? nobody;
    return userInfo().username;
  } catch {
    return nobody;
  }
}

/** Bun's `userInfo` believes $USER, which anybody may set and cron does not. */
function listedUser(): string | undefined {
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  return users.find(([, , uid]) => uid === String(process.geteuid?.()))?.[0];
}

/** What starts this very program again: its runtime with the flags it was given, if there is one, and its file. */
export function programWords(): readonly string[] {
  if (typeof TIMMY_BB_STANDALONE !== "undefined" && TIMMY_BB_STANDALONE) return [process.execPath];
  return [process.execPath, ...process.execArgv, ...process.argv.slice(1, 2)];
}
