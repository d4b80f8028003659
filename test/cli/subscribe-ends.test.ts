/** Ends that come at a bad moment: the store goes before a message is settled, a worker dies, the output breaks off. */
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { killProcesses } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

const FAILURE_IN_TIME = ["--timeout", "500ms", "--wait", "1s", "--follow"];

afterAll(removeTempDirs);

test("a board file that is locked for long: a worker says so, says when it is back, and goes on", async () => {
  const place = Workplace.memory();
  await using board = await place.openBoard();
  await board.publish("c", "1");
  const worker = place.start(["subscribe", "c", "--consumer", "w", "--follow", "--timeout", "300ms"]);
  await until("the first", () => worker.stdout().toString() === "1\n");
  const lock = new DatabaseSync(place.boardFile);
  lock.exec("BEGIN EXCLUSIVE");
  await until("the word that it is away", () => worker.stderr().includes("is away"));
  lock.close();
  await until("the word that it is back", () => worker.stderr().includes("reconnected"));
  await board.publish("c", "2");
  await until("the second", () => worker.stdout().toString() === "1\n2\n");
  worker.process.kill("SIGTERM");
  const { exitCode, stderr } = await worker.ended;
  expect(exitCode).toBe(143);
  expect(stderr).toMatch(
    /^timmy-bb: memory is away \(the board file .*board\.db is locked by another process for over 0\.3s\); trying to reconnect\ntimmy-bb: reconnected after \d+\.\ds, 0 messages recovered\n$/,
  );
});

describe("on a server of its own", () => {
  let server: RedisServer;
  beforeEach(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    killProcesses();
    await server.stop();
  });

  test.each([
    ["a command exits 0", "exit 0"],
    ["a command fails for good", "exit 1"],
  ])("the store goes while %s: it ends in its time, and says that nobody knows", async (_what, end) => {
    const place = Workplace.redis(server);
    await place.ask("publish", "c", "1");
    const script = `echo begun; while [ ! -e over ]; do sleep 0.02; done; ${end}`;
    const words = ["subscribe", "c", "--consumer", "w", ...FAILURE_IN_TIME, "--retries", "0"];
    const worker = place.start([...words, "--", "sh", "-c", script]);
    await until("the command", () => worker.stdout().includes("begun"));
    await server.kill();
    await place.bash("touch over");
    const { exitCode, stderr } = await worker.ended;
    expect(exitCode).toBe(4);
    expect(stderr).toContain("the store is away and could not be told what became of a message");
  });

  test("told to stop while the store is away, it says so and ends", async () => {
    const place = Workplace.redis(server);
    await place.ask("publish", "c", "1");
    const script = "echo begun; while [ ! -e over ]; do sleep 0.02; done";
    const words = ["subscribe", "c", "--consumer", "w", "-f", "--timeout", "500ms", "--", "sh", "-c", script];
    const worker = place.start(words);
    await until("the command", () => worker.stdout().includes("begun"));
    await server.kill();
    await place.bash("touch over");
    await until("the word that it is away", () => worker.stderr().includes("is away"));
    worker.process.kill("SIGTERM");
    const { exitCode, stderr } = await worker.ended;
    expect(exitCode).toBe(143);
    expect(stderr).toContain("could not be told");
  });

  test("each line that was sent has its receipt, whatever ends the sending", async () => {
    const place = Workplace.redis(server, { TIMMY_BB_HISTORY_MESSAGES_PER_CHANNEL: "100000" });
    const publisher = place.start(["publish", "c", "--lines"], { input: "open" });
    const { stdin } = publisher.process;
    const feed = (error?: Error | null) => {
      if (!error) stdin?.write("line\n".repeat(2000), feed); // an error: it has ended, in the middle
    };
    stdin?.on("error", () => {});
    feed();
    await until("some receipts", () => publisher.stdout().length > 2000);
    await server.cli("config", "set", "maxmemory", "1");
    const { exitCode, stdout } = await publisher.ended;
    expect(exitCode).toBe(4);
    const root = `timmy-bb:{${place.prefix}}:`;
    const logged = await server.cli("xlen", `${root}channel:${place.prefix}:c`);
    expect(stdout.toString().split("\n").length - 1).toBe(Number(logged));
  });
});

test("an attempt that was never made is not counted", async () => {
  const place = Workplace.memory();
  await place.ask("publish", "c", "1");
  const work = ["subscribe", "c", "--consumer", "w", "--ack-timeout", "200ms", "--retries", "0"];
  const killed = await place.ended([...work, "--", "sh", "-c", "kill -9 $PPID"]);
  expect(killed.signal).toBe("SIGKILL");
  const next = await place.run([...work, "--wait", "3s", "--", "sh", "-c", "echo again"]);
  expect(next).toMatchObject({ exit: 3, out: "" });
  const failed = JSON.parse(await place.ask("subscribe", "c:failed", "--last", "1", "--json"));
  expect(failed.failure).toMatchObject({ attempts: 1, reason: "its worker ended before it was handled" });
});

test("a command works on the board that the flags have named", async () => {
  const place = Workplace.memory();
  const at = ["--prefix", "elsewhere", "--agent", "ada"];
  await place.ask("publish", "c", "1", ...at);
  const out = await place.bash(
    `timmy-bb subscribe c --last 1 ${at.join(" ")} -- timmy-bb set k v; timmy-bb keys --long ${at.join(" ")} | cut -f 1,4`,
  );
  expect(out).toEqual({ exit: 0, out: "k\tada\n", err: "" });
});
