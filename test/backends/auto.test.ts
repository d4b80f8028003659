/** `auto`, through the command and the library: when it falls back, when it must not, and following both stores. */
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Blackboard, Message, OpenOptions } from "../../src/index.ts";
import { library } from "../helpers/library.ts";
import { killProcesses, type Started } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { until, within } from "../helpers/until.ts";
import { done, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

const NOBODY = "redis://127.0.0.1:1";
const LONG_MS = 20_000;

afterAll(() => {
  killProcesses();
  removeTempDirs();
});

/** A place whose redis is at this address, whose file is its own. */
function auto(url: string, env: Readonly<Record<string, string>> = {}): Workplace {
  return Workplace.bare({ TIMMY_BB_BACKEND: "auto", TIMMY_BB_URL: url, ...env });
}

function inFile(place: Workplace, ...args: string[]) {
  return place.run([...args, "--backend", "memory"]);
}

function fallbackLine(place: Workplace, shown = NOBODY, reason = "connection refused"): string {
  return `timmy-bb: cannot reach ${shown} (${reason}); using ${place.boardFile} instead\n`;
}

describe.concurrent("redis refuses the connection", () => {
  test("falls back, with exactly one warning line a command", async () => {
    const place = auto(NOBODY);
    const err = fallbackLine(place);
    expect(await place.run(["set", "k", "v"])).toEqual({ exit: 0, out: "", err });
    expect(await place.run(["get", "k"])).toEqual({ exit: 0, out: "v\n", err });
    expect(await place.run(["keys", "--long"])).toEqual({ exit: 0, out: expect.stringMatching(/^k\t/), err });
    expect(await place.run(["publish", "c", "m"])).toEqual({ exit: 0, out: "0\n", err });
    expect(await place.run(["get", "none"])).toEqual({ exit: 1, out: "", err });
    expect(await place.run(["clear", "nothing"])).toEqual({ exit: 0, out: "0\n", err });
    expect(await place.run(["get", "k", "--quiet"])).toEqual(done("v\n"));
    expect(await inFile(place, "get", "k")).toEqual(done("v\n"));
  });

  test("many lines of one command: one warning", async () => {
    const place = auto(NOBODY);
    const input = Buffer.from("one\ntwo\nthree\n");
    expect(await place.run(["publish", "c", "--lines"], { input })).toEqual({
      exit: 0,
      out: "0\n0\n0\n",
      err: fallbackLine(place),
    });
  });

  test("a file that could not be opened is tried again by the next operation", async () => {
    const place = auto(NOBODY);
    const dataDir = place.path("data");
    writeFileSync(dataDir, "in the way");
    const options = { backend: "auto", url: NOBODY, dataDir, onNotice: () => {} } as const;
    await using board = await library.openBlackboard(options);
    await expect(board.set("k", "v")).rejects.toMatchObject({ kind: "config" });
    rmSync(dataDir);
    await board.set("k", "v");
    expect(await board.getText("k")).toBe("v");
  });

  test("fallback_to_memory: false is exit 4, and no file is made", async () => {
    const place = auto(NOBODY, { TIMMY_BB_FALLBACK: "false" });
    for (const args of [
      ["set", "k", "v"],
      ["get", "k"],
      ["incr", "n"],
      ["subscribe", "c"],
    ]) {
      expect(await place.run(args)).toEqual({
        exit: 4,
        out: "",
        err: `timmy-bb: cannot reach ${NOBODY} (connection refused)\nhint: is the server running there?\n`,
      });
    }
    expect(readdirSync(place.dir)).toEqual([]);
  });

  test("what decides who wins fails closed: exit 4, naming --backend memory, nothing written anywhere", async () => {
    const place = auto(NOBODY);
    for (const args of [
      ["set", "k", "v", "--if-absent"],
      ["set", "k", "v", "--if-present"],
      ["set", "k", "v", "--if-value", "w"],
      ["incr", "n"],
    ]) {
      const { exit, out, err } = await place.run(args);
      expect({ args, exit, out }).toEqual({ args, exit: 4, out: "" });
      expect(err).toMatch(
        /^timmy-bb: cannot reach .*; (a conditional set|incr) is not decided on the file, two could win\n/,
      );
      expect(err).toMatch(/\nhint: --backend memory .*\n$/);
    }
    expect(readdirSync(place.dir)).toEqual([]);
    expect(await inFile(place, "set", "k", "v", "--if-absent")).toEqual(done());
  });

  test("neither store can be used: an error that says which place was tried", async () => {
    const place = auto(NOBODY);
    writeFileSync(place.path("file"), "");
    const { exit, out, err } = await place.run(["set", "k", "v"], {
      env: { TIMMY_BB_DATA_DIR: place.path("file/below") },
    });
    expect({ exit, out }).toEqual({ exit: 2, out: "" });
    expect(err).toContain("file/below");
  });

  test("the library: one notice each time redis goes away, not one a call", async () => {
    const place = auto(NOBODY);
    const notices: string[] = [];
    await using board = await openAuto(place, { onNotice: (notice) => notices.push(notice) });
    await board.set("a", "1");
    await board.set("b", "2");
    expect(await board.getText("b")).toBe("2");
    expect(notices).toEqual([fallbackLine(place).slice("timmy-bb: ".length, -1)]);
    await expect(board.incr("n")).rejects.toMatchObject({ kind: "unavailable" });
    expect((await board.status()).store).toBe("memory");
  });
});

function openAuto(place: Workplace, options: OpenOptions = {}): Promise<Blackboard> {
  const url = place.env.TIMMY_BB_URL ?? "";
  return place.openBoard({ backend: "auto", url, ...options });
}

describe("redis refuses us", () => {
  test("a wrong password or database is an error: no fallback, no file", async () => {
    await using server = await RedisServer.start({ password: "right" });
    const bare = `redis://127.0.0.1:${server.port}`;
    for (const url of [bare, bare.replace("//", "//:wrong@"), `${server.url}/99`]) {
      for (const args of [
        ["set", "k", "v"],
        ["subscribe", "c", "--wait", "9s"],
      ]) {
        const { place, exit, out, err } = await answered(url, args);
        expect({ args, exit, out }).toEqual({ args, exit: 2, out: "" });
        expect(err).toMatch(/^timmy-bb: redis:.*(password|database).*\nhint: .*\n$/);
        expect(readdirSync(place.dir)).toEqual([]);
      }
    }
  });

  test("something else that answers there is an error, never a fallback", async () => {
    await using server = await RedisServer.start();
    const { place, exit, err } = await answered(server.url.replace("redis:", "rediss:"), ["set", "k", "v"]);
    expect({ exit, err }).toEqual({ exit: 2, err: expect.stringMatching(/does not speak TLS/) });
    expect(readdirSync(place.dir)).toEqual([]);
  });
});

/** A call that the server answered in time: on a machine this busy 300 ms may pass before it gets a turn. */
async function answered(url: string, args: readonly string[]) {
  for (let attempt = 1; ; attempt++) {
    const place = auto(url);
    const ended = await place.run(args);
    if (attempt === 10 || !ended.err.includes("no answer within 300 ms")) return { place, ...ended };
  }
}

describe("a server that comes and goes", () => {
  let server: RedisServer;
  beforeEach(async () => {
    server = await RedisServer.start({ appendonly: true });
  });
  afterEach(async () => {
    killProcesses();
    await server.stop();
  });

  test("a black hole: falls back in well under a second", async () => {
    const place = auto(server.url);
    server.pause();
    const began = performance.now();
    const board = await openAuto(place, { onNotice: () => {} });
    await board.set("k", "v");
    const tookMs = performance.now() - began;
    await board.close();
    expect(tookMs).toBeLessThan(900);
    expect(tookMs).toBeGreaterThan(250); // it was given its chance
    const { exit, err } = await place.run(["set", "l", "w"]);
    expect({ exit, err }).toEqual({
      exit: 0,
      err: fallbackLine(place, server.url, "no answer within 300 ms"),
    });
    server.resume();
    expect(await server.cli("keys", "*")).toBe("");
    expect(await inFile(place, "keys")).toEqual(done("k\nl\n"));
  });

  test("unsynced writes: each later command on redis mentions them once, status counts them", async () => {
    const place = auto(server.url);
    expect(await place.run(["set", "before", "1"])).toEqual(done());
    expect(existsSync(place.boardFile)).toBe(false);
    await server.kill();
    await place.run(["set", "k", "v"]);
    await place.run(["publish", "c", "m"]);
    await server.restart();
    const err = `timmy-bb: ${place.boardFile} holds writes made while redis was away; read them with --backend memory\n`;
    expect(await place.run(["get", "before"])).toEqual({ exit: 0, out: "1\n", err });
    expect(await place.run(["get", "k"])).toEqual({ exit: 1, out: "", err });
    expect(await place.run(["get", "before", "-q"])).toEqual(done("1\n"));
    const onRedis = ["get", "before", "--backend", "redis"];
    expect(await place.run(onRedis)).toEqual({ exit: 0, out: "1\n", err });
    expect(await place.run([...onRedis, "-q"])).toEqual(done("1\n"));
    expect(await place.run(["get", "k", "--backend", "memory"])).toEqual(done("v\n"));
    const { out } = await place.run(["status", "--json"]);
    const status = JSON.parse(out) as { store: string; stores: { store: string; unsynced: number }[] };
    expect(status.store).toBe("redis");
    expect(status.stores.map(({ store, unsynced }) => [store, unsynced])).toEqual([
      ["redis", 0],
      ["memory", 2],
    ]);
  });

  test("writes chosen for memory are not unsynced", async () => {
    const place = auto(server.url);
    await inFile(place, "set", "k", "v");
    expect(await place.run(["get", "k"])).toEqual({ exit: 1, out: "", err: "" });
  });

  test.each(["pause", "kill"] as const)(
    "once the bytes were sent: unknown, no fallback (%s)",
    async (how) => {
      const place = auto(server.url);
      const notices: string[] = [];
      await using board = await openAuto(place, {
        timeoutMs: 700,
        onNotice: (notice) => notices.push(notice),
      });
      await board.set("k", "old");
      server.pause();
      const writing = board.set("k", "s3cret");
      const failure = writing.catch((error: unknown) => error);
      if (how === "kill") await server.kill();
      const error = await within("the refusal", failure, LONG_MS);
      expect(error).toBeInstanceOf(library.BlackboardError);
      expect(error).toMatchObject({ kind: "unknown", hint: expect.stringMatching(/may or may not/) });
      expect(String(error)).not.toContain("s3cret");
      expect(notices).toEqual([]);
      expect(existsSync(place.boardFile)).toBe(false);
      if (how === "pause") server.resume();
    },
  );

  test("the library goes over to the file and comes back, telling each time", async () => {
    const place = auto(server.url);
    const notices: string[] = [];
    await using board = await openAuto(place, { onNotice: (notice) => notices.push(notice) });
    await board.set("k", "on redis");
    await server.kill();
    await until(
      "a write that falls back",
      async () => {
        const outcome = await board.set("k", "in the file").catch(() => null);
        return outcome !== null && notices.length > 0;
      },
      LONG_MS,
    );
    expect(await board.getText("k")).toBe("in the file");
    await server.restart();
    await until("redis again", async () => (await board.getText("k")) === "on redis", LONG_MS);
    expect(notices).toEqual([
      expect.stringMatching(/^cannot reach .* instead$/),
      expect.stringMatching(/holds writes made while redis was away; read them with --backend memory$/),
    ]);
  });

  describe("following", () => {
    /** A follower of channel `c` that prints JSON. */
    function follow(place: Workplace): Started {
      return place.start(["subscribe", "c", "--follow", "--json"], { timeoutMs: 28_000 });
    }

    function heard(follower: Started): string[] {
      const lines = follower.stdout().toString().split("\n").filter(Boolean);
      return lines.map((line) => (JSON.parse(line) as Message & { payload: string }).payload.toString());
    }

    /** Sends until it is heard: only a follower that is not ready yet may miss it. */
    async function untilHeard(follower: Started, send: () => Promise<unknown>, text: string) {
      await until(
        `"${text}" at the follower; it says ${follower.stderr()}`,
        async () => {
          await send();
          return heard(follower).includes(text);
        },
        LONG_MS,
      );
    }

    const waitFor = (follower: Started, text: string) =>
      until(`"${text}" at the follower`, () => heard(follower).includes(text), LONG_MS);

    const warm = (place: Workplace, follower: Started) =>
      untilHeard(follower, () => place.run(["publish", "c", "warm"]), "warm");

    async function stop(follower: Started): Promise<string[]> {
      follower.process.kill("SIGTERM");
      expect((await follower.ended).exitCode).toBe(143);
      return heard(follower).filter((text) => text !== "warm");
    }

    test("a publisher on redis, one that fell back, and a foreign one: each once", async () => {
      const place = auto(server.url);
      const follower = follow(place);
      await warm(place, follower);
      await place.run(["publish", "c", "over redis"]);
      await place.run(["publish", "c", "fell back"], { env: { TIMMY_BB_URL: NOBODY } });
      await server.cli("publish", "timmy:c", "foreign");
      for (const text of ["over redis", "fell back", "foreign"]) await waitFor(follower, text);
      await place.run(["publish", "c", "end"]);
      await waitFor(follower, "end");
      expect((await stop(follower)).sort()).toEqual(["end", "fell back", "foreign", "over redis"]);
      expect(follower.stderr()).toBe("");
    });

    test("redis there, away, back: nothing twice, nothing lost, and told", async () => {
      const place = auto(server.url);
      const follower = follow(place);
      await warm(place, follower);
      await place.run(["publish", "c", "1"]);
      await waitFor(follower, "1");
      await server.kill();
      await until("the word that it is away", () => follower.stderr().includes("away"), LONG_MS);
      expect((await place.run(["publish", "c", "2"])).err).toContain("instead");
      await waitFor(follower, "2");
      await server.restart();
      await place.run(["publish", "c", "3"]); // perhaps before the follower is back: then it is recovered
      await until("the word that it is back", () => follower.stderr().includes("reconnected"), LONG_MS);
      await waitFor(follower, "3");
      await place.run(["publish", "c", "4"]);
      await waitFor(follower, "4");
      expect(await stop(follower)).toEqual(["1", "2", "3", "4"]);
      expect(noticesOf(follower)).toEqual([
        expect.stringMatching(/^redis is away \(.+\); trying to reconnect$/),
        expect.stringMatching(/^reconnected after \d+\.\ds, (0 messages|1 message) recovered$/),
      ]);
    });

    test("redis away at the start, then there, then away again", async () => {
      await server.kill();
      const place = auto(server.url);
      const follower = follow(place);
      await until("the word that it is away", () => follower.stderr().includes("away"), LONG_MS);
      await place.run(["publish", "c", "1"]);
      await waitFor(follower, "1");
      await server.restart();
      await place.run(["publish", "c", "2"]);
      await waitFor(follower, "2");
      await server.kill();
      await until("away for the second time", () => follower.stderr().split("is away").length === 3, LONG_MS);
      await place.run(["publish", "c", "3"]);
      await waitFor(follower, "3");
      expect(await stop(follower)).toEqual(["1", "2", "3"]);
      expect(noticesOf(follower).map((notice) => notice.split(" ", 3).join(" "))).toEqual([
        "redis is away",
        expect.stringMatching(/^reconnected after \d/),
        "redis is away",
      ]);
    });

    test("a data directory that cannot be used: told, and redis is followed all the same", async () => {
      const place = auto(server.url);
      writeFileSync(place.path("file"), "");
      const broken = { TIMMY_BB_DATA_DIR: place.path("file/below") };
      const env = { env: broken };
      expect(await place.run(["set", "k", "v"], env)).toEqual(done());
      const follower = place.start(["subscribe", "c", "--follow", "--json"], env);
      await untilHeard(follower, () => place.run(["publish", "c", "warm"], env), "warm");
      await server.cli("publish", "timmy:c", "x");
      await waitFor(follower, "x");
      expect(await stop(follower)).toEqual(["x"]);
      expect(noticesOf(follower)).toEqual([
        expect.stringMatching(/^cannot follow the board file as well: .*file\/below/),
      ]);
    });

    test("--wait counts while redis is away from the start", async () => {
      server.pause();
      const place = auto(server.url);
      const { exit, out, err } = await place.run(["subscribe", "c", "--wait", "300ms"]);
      expect({ exit, out }).toEqual({ exit: 3, out: "" });
      expect(err).toMatch(/timmy-bb: timed out after 300ms\n$/);
      server.resume();
    });

    test.each([
      ["a signal", [], "SIGTERM", 143],
      ["--wait", ["--wait", "600ms"], null, 3],
    ] as const)(
      "a server that went silent does not hold up the end (%s)",
      async (_what, args, signal, code) => {
        const place = auto(server.url);
        server.pause();
        const patient = ["subscribe", "c", "-f", "--timeout", "1h", ...args];
        const follower = place.start(patient, { timeoutMs: LONG_MS });
        if (signal !== null) {
          await until("it to follow", () => existsSync(place.boardFile), LONG_MS);
          follower.process.kill(signal);
        }
        expect((await follower.ended).exitCode).toBe(code);
        server.resume();
      },
    );

    test("a follower whose readiness nobody awaits fails in its loop, not as an unhandled rejection", async () => {
      const place = auto(server.url);
      await using board = await openAuto(place, { onNotice: () => {} });
      await server.cli("config", "set", "requirepass", "later");
      const follower = board.subscribe("c");
      await expect(within("the refusal", take(follower, []), LONG_MS)).rejects.toMatchObject({
        kind: "config",
      });
    });

    test("the library: leaving the loop, a signal and close all end it", async () => {
      const place = auto(server.url);
      const board = await openAuto(place, { onNotice: () => {} });
      const stop = new AbortController();
      const [left, stopped, closed] = [{}, { signal: stop.signal }, {}].map((options) =>
        board.subscribe("c", options),
      );
      if (!left || !stopped || !closed) throw new Error("three followers");
      await within("ready", Promise.all([left.ready, stopped.ready, closed.ready]), LONG_MS);
      const seen: Record<"left" | "stopped" | "closed", string[]> = { left: [], stopped: [], closed: [] };
      const leaving = take(left, seen.left, 1);
      const stopping = take(stopped, seen.stopped);
      const closing = take(closed, seen.closed);
      await board.publish("c", "x");
      await within("the loop that is left", leaving);
      await until("x at both others", () => seen.stopped.length + seen.closed.length === 2);
      stop.abort();
      await within("the one that is stopped", stopping);
      await within("closing", board.close());
      await within("the one that is closed", closing);
      expect(seen).toEqual({ left: ["x"], stopped: ["x"], closed: ["x"] });
    });
  });
});

function noticesOf(follower: Started): string[] {
  return follower
    .stderr()
    .split("\n")
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { notice: string }).notice);
}

/** Notes payloads, until so many have come or the follower ends. */
async function take(messages: AsyncIterable<Message>, seen: string[], count = Infinity): Promise<void> {
  for await (const { payload } of messages) {
    seen.push(payload.toString());
    if (seen.length >= count) return;
  }
}
