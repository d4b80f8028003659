/** A server of one test's own, and a way to it that can be cut. */
import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { RedisServer, type RedisServerOptions } from "../helpers/redis-server.ts";

/** A way to the server that can be cut and mended, while others go on using the server. */
export async function cuttableLine(port: number): Promise<{ port: number; cut(): void; mend(): void }> {
  const sockets = new Set<Socket>();
  let whole = true;
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
      one.pipe(other);
    }
    if (!whole) near.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    whole = false;
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  const address = server.address();
  const mend = (): void => {
    whole = true;
  };
  return { port: typeof address === "object" ? (address?.port ?? 0) : 0, cut, mend };
}

/** Stopped when the test is over. */
export async function start(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  onTestFinished(() => server.stop());
  return server;
}
