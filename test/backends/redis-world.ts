/** A server of one test's own, and a way to it that can be cut. */
import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { RedisServer, type RedisServerOptions } from "../helpers/redis-server.ts";

export interface Line {
  readonly port: number;
  cut(): void;
  /** To the server it led to, or to another one. */
  mend(port?: number): void;
}

/** A way to the server that can be cut and mended, while others go on using the server. */
export async function cuttableLine(port: number): Promise<Line> {
  const sockets = new Set<Socket>();
  let whole = true;
  let target = port;
  const portNow = () => target;
  const line = await lineTo(portNow, (near, far) => {
    for (const socket of [near, far]) sockets.add(socket);
    near.pipe(far).pipe(near);
    if (!whole) near.destroy();
  });
  const cut = (): void => {
    whole = false;
    for (const socket of sockets) socket.destroy();
  };
  const mend = (port = target): void => {
    target = port;
    whole = true;
  };
  return { port: line, cut, mend };
}

/** Stopped when the test is over. */
export async function start(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  onTestFinished(() => server.stop());
  return server;
}

/**
 * A way to the server with a gate. When it is closed, a connection made before is held up in its next question for the
 * channels' newest numbers, and one made later gets nothing more once it has subscribed to its patterns.
 */
export async function gatedLine(port: number) {
  let isClosed = false;
  let held: Array<() => void> = [];
  let ask = (): void => {};
  const gate = { isAsked: false, isFenced: false };
  const line = await lineTo(
    () => port,
    (near, far) => {
      const isLater = isClosed;
      let hasSubscribed = false;
      near.on("data", (chunk) => {
        const goOn = (): void => void far.write(chunk);
        gate.isFenced ||= isClosed && hasSubscribed && chunk.includes("ping");
        if (!isClosed || isLater || gate.isAsked || !chunk.includes("zrangebyscore")) return void goOn();
        gate.isAsked = true;
        ask = goOn;
      });
      far.on("data", (chunk) => {
        const goOn = (): void => void near.write(chunk);
        if (isClosed && hasSubscribed) held.push(goOn);
        else goOn();
        hasSubscribed ||= isLater && chunk.includes("psubscribe");
      });
    },
  );
  const close = (): void => {
    isClosed = true;
  };
  const open = (): void => {
    isClosed = false;
    for (const goOn of held) goOn();
    held = [];
  };
  return Object.assign(gate, { port: line, close, open, letAsk: () => ask() });
}

/** A port whose connections go to the server of the moment by what `join` makes of the two sides. */
async function lineTo(port: () => number, join: (near: Socket, far: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port(), "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
    }
    join(near, far);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}
