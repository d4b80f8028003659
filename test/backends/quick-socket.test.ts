/** The command's own socket, between it and real sockets of `node:net`. Only the command's bundle uses it, so it is opened here directly. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { openQuickly } from "../../src/quick-socket.ts";
import { openSocket, type RawSocket, type SocketTarget } from "../../src/runtime.ts";
import { removeTempDirs, tempDir } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";

afterEach(removeTempDirs);

interface Opened {
  readonly socket: RawSocket;
  readonly heard: Buffer[];
  /** Everything told, in order: `open`, `data` once, `end <code>`, `other` when it was left to `node:net`. */
  readonly told: string[];
}

function open(target: SocketTarget): Opened {
  const [heard, told]: [Buffer[], string[]] = [[], []];
  const events = {
    onOpen: () => void told.push("open"),
    onData: (bytes: Buffer) => {
      if (heard.push(bytes) === 1) told.push("data");
    },
    onEnd: (code: string | undefined) => void told.push(`end ${code ?? ""}`),
  };
  const socket = openQuickly(target, events, () => {
    told.push("other");
    return openSocket(target, events);
  });
  if (socket === null) throw new Error("not a target for this socket");
  onTestFinished(() => socket.destroy());
  return { socket, heard, told };
}

async function listen(kind: "tcp" | "unix", onSocket: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  const path = join(tempDir("quick"), "socket");
  server.listen(kind === "unix" ? { path } : { port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = kind === "tcp" ? (server.address() as AddressInfo) : { port: 0 };
  const target: SocketTarget = kind === "unix" ? { socketPath: path } : { host: "localhost", port };
  return { server, sockets, target };
}

const hasEnded = ({ told }: Opened) => told.some((one) => one.startsWith("end"));
const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe.each(["tcp", "unix"] as const)("over %s", (kind) => {
  test("much goes both ways, whole and in order, though the other side is slow", async () => {
    const { target } = await listen(kind, (socket) => {
      socket.on("data", (bytes) => {
        if (socket.write(bytes)) return;
        socket.pause();
        socket.once("drain", () => setImmediate(() => socket.resume()));
      });
    });
    const opened = open(target);
    const pieces = Array.from({ length: 64 }, (_, at) => randomBytes([1, 70, 40_000, 900_000][at % 4] ?? 0));
    for (const piece of pieces.slice(0, 30)) opened.socket.write(piece); // before it is connected
    await until("it is open", () => opened.told.includes("open"));
    for (const piece of pieces.slice(30)) opened.socket.write(piece);
    const all = Buffer.concat(pieces);
    await until("all is back", () => opened.heard.reduce((sum, { length }) => sum + length, 0) >= all.length);
    expect(digest(Buffer.concat(opened.heard))).toBe(digest(all));
    expect(opened.told).toEqual(["open", "data"]);
  });

  test("the other side ends its half: what it said comes, then the end, once", async () => {
    const { target } = await listen(kind, (socket) => socket.end("good bye"));
    const opened = open(target);
    await until("the end", () => hasEnded(opened));
    opened.socket.write(Buffer.from("nobody reads this"));
    opened.socket.destroy();
    await new Promise(setImmediate);
    expect(Buffer.concat(opened.heard).toString()).toBe("good bye");
    expect(opened.told).toEqual(["open", "data", "end "]);
  });

  test("destroyed while it connects: ends once, and does not stay behind", async () => {
    const { target, server, sockets } = await listen(kind, () => {});
    const opened = open(target);
    opened.socket.write(Buffer.from("never sent"));
    opened.socket.destroy();
    opened.socket.destroy();
    expect(opened.told).toEqual([]); // not from within the call
    await until("the end", () => hasEnded(opened));
    const later = open(target); // whoever comes first is let in first
    await until("another one is open", () => later.told.includes("open") && sockets.length > 0);
    later.socket.destroy();
    for (const socket of sockets) socket.resume().end();
    await until("nobody is left", () => sockets.every(({ destroyed }) => destroyed));
    expect(sockets.map(({ bytesRead }) => bytesRead)).toEqual(sockets.map(() => 0));
    expect(opened.told).toEqual(["end "]);
    expect(server.listening).toBe(true);
  });

  test("nobody listens: it is left to node:net, which says why", async () => {
    const { target, server } = await listen(kind, () => {});
    server.close();
    await once(server, "close");
    const opened = open(target);
    opened.socket.write(Buffer.from("to nobody"));
    await until("the end", () => hasEnded(opened));
    expect(opened.told).toEqual(["other", `end ${kind === "tcp" ? "ECONNREFUSED" : "ENOENT"}`]);
  });

  test("nobody listens, and it is destroyed before that is known: ends once", async () => {
    const { target, server } = await listen(kind, () => {});
    server.close();
    await once(server, "close");
    const opened = open(target);
    opened.socket.destroy();
    await until("the end", () => hasEnded(opened));
    await new Promise(setImmediate);
    expect(opened.told.filter((one) => one.startsWith("end"))).toHaveLength(1);
  });
});

test("reset while much waits to be written: ends once, with the code", async () => {
  const { target, sockets } = await listen("tcp", (socket) => void socket.pause());
  const opened = open(target);
  for (let at = 0; at < 40; at++) opened.socket.write(Buffer.alloc(1 << 20, at));
  await until("the other side has it", () => sockets.length === 1 && opened.told.includes("open"));
  sockets[0]?.resetAndDestroy();
  await until("the end", () => hasEnded(opened));
  opened.socket.write(Buffer.from("too late"));
  await new Promise(setImmediate);
  expect(opened.told).toEqual(["open", expect.stringMatching(/^end (ECONNRESET|EPIPE)$/)]);
});

test.each([
  ["NODE_OPTIONS", "--pending-deprecation"],
  ["NODE_OPTIONS", "--pending_deprecation"],
  ["execArgv", "--pending-deprecation"],
  ["execArgv", "--pending_deprecation"],
] as const)("who asks for warnings of what will go, by %s=%s, is left to node:net", (where, flag) => {
  const { execArgv, env } = process;
  const before = env.NODE_OPTIONS;
  onTestFinished(() => {
    process.execArgv = execArgv;
    if (before === undefined) delete env.NODE_OPTIONS;
    else env.NODE_OPTIONS = before;
  });
  if (where === "execArgv") process.execArgv = [flag];
  else env.NODE_OPTIONS = flag;
  const never = (): never => {
    throw new Error("nothing is opened");
  };
  const events = { onOpen: never, onData: never, onEnd: never };
  expect(openQuickly({ host: "127.0.0.1", port: 1 }, events, never)).toBe(null);
});
