/**
 * What the standalone executable promises beyond the command's own tests, which run against it as well (`npm run
 * test:standalone`): it stands alone, and its own socket keeps what `runtime.ts` says.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { EXECUTABLE, ROOT } from "../helpers/cli.ts";
import { withServer } from "../helpers/file-server.ts";
import { start } from "../helpers/processes.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { tempDir } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";
import { done, said, Workplace } from "../helpers/workplace.ts";

let server: RedisServer;
withServer((started) => {
  server = started;
});

function alone(words: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
  if (EXECUTABLE === null) throw new Error("TEST_PROGRAM must name the executable");
  return start(EXECUTABLE, words, { cwd, env }).ended;
}

describe("it stands alone", () => {
  test("without Node, npm, a home or anything else in the environment", async () => {
    const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as { version: string };
    const dir = tempDir("alone");
    expect(said(await alone(["--version"], dir))).toEqual(done(`${version}\n`));
    const env = { TIMMY_BB_BACKEND: "memory", TIMMY_BB_DATA_DIR: dir };
    expect(said(await alone(["set", "k", "v"], dir, env))).toEqual(done());
    expect(said(await alone(["get", "k"], dir, env))).toEqual(done("v\n"));
  });

  test("what others keep for Bun in the working directory changes nothing", async () => {
    const place = Workplace.memory();
    writeFileSync(place.path("bunfig.toml"), 'preload = ["./harm.js"]\n');
    writeFileSync(place.path("harm.js"), "console.log('harm')");
    writeFileSync(place.path(".env"), "TIMMY_BB_AGENT=harm\n");
    writeFileSync(place.path("tsconfig.json"), "{ harm");
    writeFileSync(place.path("package.json"), "{ harm");
    expect(await place.run(["set", "k", "v"])).toEqual(done());
    expect(await place.ask("history", "k", "--json")).not.toContain("harm");
  });
});

describe("its socket", () => {
  test.each(["url", "socketUrl"] as const)(
    "carries more than the system takes at once, by %s",
    async (form) => {
      const place = Workplace.redis(server, { TIMMY_BB_URL: server[form] });
      const value = randomBytes(30_000_000);
      expect(said(await place.ended(["set", "k"], { input: value }))).toEqual(done());
      const { stdout } = await place.ended(["get", "k", "--raw"]);
      expect(digest(stdout)).toBe(digest(value));
    },
  );

  test("finds a server by its name", async () => {
    const place = Workplace.redis(server, { TIMMY_BB_URL: `redis://localhost:${server.port}` });
    expect(await place.run(["set", "k", "v"])).toEqual(done());
    expect(await place.ask("get", "k")).toBe("v\n");
  });

  test.each([
    [
      "nobody listens",
      "redis://127.0.0.1:1",
      /\(connection refused\)\nhint: is the server running there\?\n$/,
    ],
    [
      "there is no such name",
      "redis://no-such-host.invalid",
      /^timmy-bb: cannot reach redis:\/\/no-such-host\.invalid/,
    ],
    [
      "there is no such socket",
      "unix:///nonexistent/redis.sock",
      /^timmy-bb: cannot reach unix:\/\/\/nonexistent/,
    ],
  ])("%s", async (_, url, says) => {
    const { exit, out, err } = await Workplace.bare({ TIMMY_BB_BACKEND: "redis", TIMMY_BB_URL: url }).run([
      "get",
      "k",
    ]);
    expect([exit, out]).toEqual([4, ""]);
    expect(err).toMatch(says);
  });

  test.each([
    ["reset", (socket: Socket) => socket.resetAndDestroy()],
    ["ended", (socket: Socket) => socket.end()],
  ])("a connection that is %s before an answer is lost", async (_, end) => {
    await using listener = await listening(end);
    const env = { TIMMY_BB_BACKEND: "redis", TIMMY_BB_URL: `redis://127.0.0.1:${listener.port}` };
    expect((await Workplace.bare(env).run(["get", "k"])).exit).toBe(4);
  });

  test("is ended when the deadline has passed, and nothing is left", async () => {
    await using listener = await listening(() => {});
    const env = { TIMMY_BB_BACKEND: "redis", TIMMY_BB_URL: `redis://127.0.0.1:${listener.port}` };
    expect((await Workplace.bare(env).run(["get", "k", "--timeout", "300ms"])).exit).toBe(4);
    await until("the end of the connection", () => listener.open() === 0);
  });
});

/** A server that does this with each connection that sends something. */
async function listening(onData: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.on("data", () => onData(socket));
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    open: () => sockets.size,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
