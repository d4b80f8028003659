/**
 * timmy-bb and clients that know nothing of it, on one server: each reads the other's keys and hears each of the
 * other's messages exactly once. The foreign clients are redis-cli and a bare socket that speaks RESP.
 */
import { connect, type Socket } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { start } from "../helpers/processes.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { done, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

/** Speaks RESP with its own hands. */
class PlainSocket {
  readonly #socket: Socket;
  #received = "";

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
    });
  }

  send(...words: readonly string[]): void {
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    this.#socket.write(`*${words.length}\r\n${parts.join("")}`);
  }

  get received(): string {
    return this.#received;
  }

  async heard(text: string): Promise<void> {
    await until(`"${text}" on the plain socket`, () => this.#received.includes(text), 20_000);
  }

  /** How often a message with this payload came. */
  times(payload: string): number {
    return this.#received.split(`$${payload.length}\r\n${payload}\r\n`).length - 1;
  }

  close(): void {
    this.#socket.destroy();
  }
}

describe.concurrent("keys", () => {
  test("what redis-cli writes, timmy-bb reads, lists, counts and deletes", async () => {
    const place = Workplace.redis(server);
    await server.cli("set", `${place.prefix}:theirs`, "from redis-cli");
    expect(await place.run(["get", "theirs"])).toEqual(done("from redis-cli\n"));
    expect(await place.run(["keys"])).toEqual(done("theirs\n"));
    expect(await place.run(["keys", "--long"])).toEqual(done("theirs\t-\t14\t?\t?\n"));
    expect(await place.run(["exists", "theirs"])).toEqual(done("1\n"));
    expect(await place.run(["clear", "--older-than", "1ms"])).toEqual(done("0\n"));
    expect(await place.run(["del", "theirs"])).toEqual(done("1\n"));
    expect(await server.cli("exists", `${place.prefix}:theirs`)).toBe("0");
  });

  test("what timmy-bb writes is a plain string with a plain time to live", async () => {
    const place = Workplace.redis(server);
    const key = `${place.prefix}:ours`;
    const bytes = Buffer.from([0, 255, 10, 128, 0]);
    await place.ended(["set", "ours", "--ttl", "1h"], { input: bytes });
    expect((await server.cliBytes(["--raw", "get", key])).subarray(0, 5)).toEqual(bytes);
    expect(await server.cli("type", key)).toBe("string");
    expect(Number(await server.cli("ttl", key))).toBeGreaterThan(3500);
    await place.ask("persist", "ours");
    expect(await server.cli("ttl", key)).toBe("-1");
  });

  test("both count on one counter", async () => {
    const place = Workplace.redis(server);
    expect(await server.cli("incrby", `${place.prefix}:n`, "40")).toBe("40");
    expect(await place.run(["incr", "n"])).toEqual(done("41\n"));
    expect(await server.cli("incr", `${place.prefix}:n`)).toBe("42");
  });

  test("a foreign type is listed, and refused with exit 5, not with a fault", async () => {
    const place = Workplace.redis(server);
    await server.cli("rpush", `${place.prefix}:list`, "a");
    expect(await place.run(["keys", "--long"])).toEqual(done("list\t-\t?\t?\t?\n"));
    const { exit, out } = await place.run(["get", "list"]);
    expect({ exit, out }).toEqual({ exit: 5, out: "" });
    expect(await place.run(["del", "list"])).toEqual(done("1\n"));
  });

  test("nothing of our own shows in keys, and another prefix's keys never do", async () => {
    const place = Workplace.redis(server);
    await place.ask("set", "mine", "1");
    await server.cli("set", `${place.prefix}x:other`, "1");
    expect(await place.run(["keys", "*"])).toEqual(done("mine\n"));
  });
});

describe.concurrent("messages", () => {
  test("a follower hears redis-cli, a plain socket and timmy-bb, each exactly once and in order", async () => {
    const place = Workplace.redis(server);
    const follower = place.start(["subscribe", "news", "ne*", "--count", "6", "--json"]);
    await until("the follower", async () => (await followers()).includes("psub=2"), 20_000);
    const plain = new PlainSocket(server.port);
    for (const round of ["1", "2"]) {
      await server.cli("publish", `${place.prefix}:news`, `cli${round}`);
      plain.send("PUBLISH", `${place.prefix}:news`, `plain${round}`);
      await until("the answer", () => plain.received.split(":").length > Number(round), 20_000);
      await place.ask("publish", "news", `ours${round}`);
    }
    const { stdout, exitCode } = await follower.ended;
    plain.close();
    const heard = stdout.toString().trimEnd().split("\n").map(recordOf);
    expect(exitCode).toBe(0);
    expect(heard.map(({ payload }) => payload)).toEqual([
      "cli1",
      "plain1",
      "ours1",
      "cli2",
      "plain2",
      "ours2",
    ]);
    expect(heard.map(({ by }) => by !== null)).toEqual([false, false, true, false, false, true]);
  });

  test("redis-cli and a plain socket hear timmy-bb's publish exactly once, as the plain payload", async () => {
    const place = Workplace.redis(server);
    const channel = `${place.prefix}:out`;
    const cli = start("redis-cli", ["-s", server.socketPath, "subscribe", channel], {
      env: { PATH: process.env.PATH ?? "" },
      cwd: place.dir,
      input: "open",
      timeoutMs: 25_000,
    });
    const plain = new PlainSocket(server.port);
    plain.send("SUBSCRIBE", channel);
    await until("two foreign followers", async () =>
      (await server.cli("pubsub", "numsub", channel)).endsWith("\n2"),
    );
    await place.ask("publish", "out", "first");
    await place.ask("publish", "out", "last");
    await plain.heard("last");
    await until("redis-cli's last", () => cli.stdout().includes("last"), 20_000);
    expect([plain.times("first"), plain.times("last")]).toEqual([1, 1]);
    const lines = cli.stdout().toString().split("\n");
    expect(lines.filter((line) => line.includes("first"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("last"))).toHaveLength(1);
    plain.close();
    cli.process.kill();
    await cli.ended;
  });

  test("receivers counts foreign followers too", async () => {
    const place = Workplace.redis(server);
    const plain = new PlainSocket(server.port);
    plain.send("SUBSCRIBE", `${place.prefix}:c`);
    await plain.heard("subscribe");
    expect(await place.run(["publish", "c", "hello"])).toEqual(done("1\n"));
    await plain.heard("hello");
    plain.close();
  });
});

/** Only one test here follows a pattern: its own and its envelopes'. */
function followers(): Promise<string> {
  return server.cli("client", "list", "type", "pubsub");
}

function recordOf(line: string): { payload: string; by: string | null } {
  return JSON.parse(line) as { payload: string; by: string | null };
}
