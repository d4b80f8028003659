/** One server for the tests of a file, and nothing of theirs left behind. */
import { afterAll, beforeAll } from "vitest";
import { killProcesses } from "./processes.ts";
import { RedisServer } from "./redis-server.ts";
import { removeTempDirs } from "./temp.ts";

/** Starts a server before the file's tests and hands it over; ends it, and what they started and made, after them. */
export function withServer(take: (server: RedisServer) => void): void {
  let server: RedisServer | null = null;
  beforeAll(async () => {
    server = await RedisServer.start();
    take(server);
  });
  afterAll(async () => {
    killProcesses();
    await server?.stop();
    removeTempDirs();
  });
}
