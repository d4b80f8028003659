/** `auto`, watching, waiting and looking back over both stores. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { killProcesses, type Started } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";
import { said, Workplace } from "../helpers/workplace.ts";

const NOBODY = "redis://127.0.0.1:1";

afterAll(() => {
  killProcesses();
  removeTempDirs();
});

function auto(url: string): Workplace {
  return Workplace.bare({ TIMMY_BB_BACKEND: "auto", TIMMY_BB_URL: url });
}

describe("redis comes and goes", () => {
  let server: RedisServer;
  let place: Workplace;
  beforeEach(async () => {
    server = await RedisServer.start({ appendonly: true });
    place = auto(server.url);
  });
  afterEach(async () => {
    killProcesses();
    await server.stop();
  });

  /** In the file, by somebody who cannot reach redis. */
  const setInFile = async (key: string, value: string) =>
    expect((await place.run(["set", key, value, "--url", NOBODY])).err).toContain("instead");
  /** Through the library: that a command can write there is no matter of these tests. */
  const redis = () => place.openBoard({ backend: "redis", onNotice: () => {} });
  const setInRedis = async (key: string, value: string) => {
    await using board = await redis();
    expect((await board.set(key, value)).written).toBe(true);
  };
  const linesOf = (watcher: Started) => watcher.stdout().toString().split("\n").filter(Boolean);

  test("a watcher hears what is written to either store, once, and nothing is lost when redis is back", async () => {
    const watcher = place.start(["watch", "*", "--follow"]);
    // Until it is there, nothing that is written is sure to be heard.
    await until("it to watch", async () => {
      await setInRedis("begin", "v");
      return linesOf(watcher).length > 0;
    });
    await setInFile("a", "1");
    await setInRedis("b", "2");
    await until("both", () => linesOf(watcher).slice(-2).sort().join() === "set\ta\t1,set\tb\t2");
    await server.kill();
    await until("it to know", () => watcher.stderr().includes("redis is away"));
    await setInFile("c", "3");
    await until("what the file gets", () => linesOf(watcher).at(-1) === "set\tc\t3");
    await server.restart();
    await setInRedis("d", "4");
    await until("what redis gets", () => linesOf(watcher).at(-1) === "set\td\t4");
    const heard = linesOf(watcher).filter((line) => !line.includes("begin"));
    expect(heard.sort()).toEqual(["set\ta\t1", "set\tb\t2", "set\tc\t3", "set\td\t4"]);
    watcher.process.kill("SIGTERM");
    expect((await watcher.ended).exitCode).toBe(143);
  });

  test("the past of both stores is one, by id: watch and history", async () => {
    await setInRedis("key", "1");
    await setInFile("key", "2");
    await setInFile("other", "3");
    await setInRedis("key", "4");
    const quietly = (...args: string[]) => place.run([...args, "--quiet"]);
    const all = "set\tkey\t1\nset\tkey\t2\nset\tother\t3\nset\tkey\t4\n";
    expect(await quietly("watch", "*", "--since", "1h")).toEqual({ exit: 0, out: all, err: "" });
    expect((await quietly("watch", "*", "--last", "3")).out).toBe(all.replace("set\tkey\t1\n", ""));
    const { out } = await quietly("history", "key");
    expect(out.split("\n").map((line) => line.split("\t")[3])).toEqual(["1", "2", "4", undefined]);
    expect((await quietly("watch", "*", "--last", "9", "--backend", "redis")).out).toBe(
      "set\tkey\t1\nset\tkey\t4\n",
    );
  });

  test("who waits is woken by what is written to the file once redis is away", async () => {
    await setInRedis("there", "v");
    const waiting = place.start(["wait", "key", "there", "--any", "--value", "done"]);
    const absent = place.start(["wait", "there", "--changed"]);
    {
      await using board = await redis();
      await until("both to wait", async () => (await board.status()).stores[0]?.followers === 2);
    }
    await server.kill();
    for (const one of [waiting, absent]) {
      await until("it to know", () => one.stderr().includes("redis is away"));
    }
    await setInFile("key", "done");
    expect(said(await waiting.ended)).toMatchObject({ exit: 0, out: "key\tdone\n" });
    await setInFile("there", "again");
    expect(said(await absent.ended)).toMatchObject({ exit: 0, out: "again\n" });
  });
});

describe("redis comes", () => {
  test("who began to wait without it is woken by what it gets at once when it is there", async () => {
    await using server = await RedisServer.start({ appendonly: true });
    await server.kill();
    const board = await auto(server.url).openBoard({ backend: "auto", onNotice: () => {} });
    const states: string[] = [];
    const waiting = board.wait("key", { onState: ({ state }) => states.push(state), timeoutMs: 20_000 });
    await until("it to know", () => states.includes("away"));
    await server.restart();
    await until("it to be back", () => states.includes("back"));
    await server.cli("set", "timmy:key", "v");
    expect((await waiting).map(({ reading }) => reading?.value?.toString())).toEqual(["v"]);
    await board.close();
  });
});

describe("without redis", () => {
  test("the file is watched and waited on, and looked back at", async () => {
    const place = auto(NOBODY);
    const err = expect.stringMatching(/^timmy-bb: cannot reach [^\n]* instead\n$/);
    expect(await place.run(["set", "key", "1"])).toEqual({ exit: 0, out: "", err });
    expect(await place.run(["wait", "key"])).toMatchObject({ exit: 0, out: "1\n" });
    expect(await place.run(["wait", "none", "--wait", "300ms"])).toMatchObject({ exit: 3, out: "" });
    expect(await place.run(["history", "key"])).toEqual({
      exit: 0,
      out: expect.stringMatching(/\t1\n$/),
      err,
    });
    const initial = await place.run(["watch", "*", "--initial"]);
    expect(initial).toEqual({ exit: 0, out: "set\tkey\t1\n", err });
    const both = place.start(["watch", "*", "--initial", "--count", "2"]);
    await until("the first", () => both.stdout().toString() === "set\tkey\t1\n");
    await place.run(["del", "key"]);
    expect(said(await both.ended)).toMatchObject({ exit: 0, out: "set\tkey\t1\ndel\tkey\n" });
  });

  test("a consumer of changes, which decides who handles what, fails closed", async () => {
    const { exit, out, err } = await auto(NOBODY).run(["watch", "*", "--consumer", "team"]);
    expect({ exit, out }).toEqual({ exit: 4, out: "" });
    expect(err).toContain("is not decided on the file");
    expect(err).toContain("hint: --backend memory");
  });
});
