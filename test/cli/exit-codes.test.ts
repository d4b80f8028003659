/** Every row of the exit table, by a real call, on both stores where it applies: code, stdout and what is said. */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { EXITS, type ExitName } from "../../src/cli/exit.ts";
import { BIN, insideProgram } from "../helpers/cli.ts";
import { withServer } from "../helpers/file-server.ts";
import { start } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { tempDir } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";
import { done, type Said, said, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

const proven = new Set<ExitName>();

/** Notes that a row of the table has its proof. */
function codeOf(name: ExitName): number {
  proven.add(name);
  return EXITS[name].code;
}

const STORES: ReadonlyArray<readonly [string, () => Workplace]> = [
  ["memory", () => Workplace.memory()],
  ["redis", () => Workplace.redis(server)],
];

/** A call that ends like this, says that, and prints nothing. */
function refused(name: ExitName, message: string | RegExp): Said {
  return { exit: codeOf(name), out: "", err: expect.stringMatching(message) };
}

describe.concurrent.each(STORES)("on %s", (_name, makePlace) => {
  test("0 done", async () => {
    const place = makePlace();
    expect(await place.run(["set", "k", "v"])).toEqual(done());
    expect(await place.run(["get", "k"])).toEqual({ exit: codeOf("done"), out: "v\n", err: "" });
    expect(await place.run(["del", "nothing"])).toEqual(done("0\n"));
    expect(await place.run(["keys", "nothing*"])).toEqual(done());
  });

  test("1 absent, and silent; an empty value is not absent", async () => {
    const place = makePlace();
    const absent = { exit: codeOf("absent"), out: "", err: "" };
    expect(await place.run(["get", "k"])).toEqual(absent);
    expect(await place.run(["get", "k", "--json"])).toEqual(absent);
    expect(await place.run(["ttl", "k"])).toEqual(absent);
    expect(await place.run(["expire", "k", "5s"])).toEqual(absent);
    expect(await place.run(["persist", "k"])).toEqual(absent);
    expect(await place.run(["take", "k*"])).toEqual(absent);
    expect(await place.run(["lock", "show", "l"])).toEqual(absent);
    expect(await place.run(["exists", "k", "l"])).toEqual({ ...absent, out: "0\n" });
    await place.ask("set", "k", "");
    expect(await place.run(["get", "k"])).toEqual(done("\n"));
  });

  test("2 usage, with the way out", async () => {
    const place = makePlace();
    expect(await place.run(["get", ""])).toEqual(
      refused("usage", /^timmy-bb: the key is empty\nhint: is a variable unset\?\n$/),
    );
    expect(await place.run(["set", "k", "v", "--ttl", "soon"])).toEqual(
      refused("usage", /^timmy-bb: --ttl: "soon" is not a duration\nhint: write 250ms, .*\n$/),
    );
    expect(await place.run(["incr", "k", "1.5"])).toEqual(refused("usage", /^timmy-bb: the increment must/));
  });

  test("3 timed out", async () => {
    const place = makePlace();
    expect(await place.run(["subscribe", "c", "--wait", "200ms"])).toEqual(
      refused("timeout", /^timmy-bb: timed out after 200ms\n$/),
    );
  });

  test("5 conflict: a refused condition names the author, not the value", async () => {
    const place = makePlace();
    await place.ask("set", "k", "s3cret-present", "--agent", "ada");
    const taken = refused(
      "conflict",
      /^timmy-bb: not written: the condition does not hold \(written by ada, .* ago\)\n/,
    );
    expect(await place.run(["set", "k", "s3cret-new", "--if-absent"])).toEqual(taken);
    expect(await place.run(["set", "k", "x", "--if-value", "other"])).toEqual(taken);
    expect(await place.run(["set", "none", "x", "--if-present"])).toEqual(
      refused("conflict", /^timmy-bb: not written: the condition does not hold\n$/),
    );
    expect(await place.run(["get", "k"])).toEqual(done("s3cret-present\n"));
  });

  test("5 conflict: not a number, too many to clear", async () => {
    const place = makePlace();
    await place.bash("timmy-bb set a word; timmy-bb set b word");
    const { exit, out, err } = await place.run(["incr", "a"]);
    expect({ exit, out }).toEqual({ exit: codeOf("conflict"), out: "" });
    expect(err).not.toContain("word");
    expect(await place.run(["clear", "--max", "1"])).toEqual(
      refused("conflict", /^timmy-bb: more than 1 keys match; nothing was deleted\nhint: .+\n$/),
    );
    expect(await place.run(["keys"])).toEqual(done("a\nb\n"));
  });

  test("5 conflict: a lock that is held, or not any more; 3 when it has been waited for", async () => {
    const place = makePlace();
    await place.ask("lock", "acquire", "l", "--agent", "ada");
    const holder = String.raw`held by ada \(host \S+, pid \d+\) for \S+`;
    expect(await place.run(["lock", "acquire", "l", "--no-wait"])).toEqual(
      refused("conflict", new RegExp(`^timmy-bb: the lock l is ${holder}\n$`)),
    );
    expect(await place.run(["lock", "acquire", "l", "--wait", "100ms"])).toEqual(
      refused("timeout", new RegExp(`^timmy-bb: timed out after 100ms waiting: the lock l is ${holder}\n$`)),
    );
    for (const action of ["refresh", "release"]) {
      expect(await place.run(["lock", action, "l", "--token", "n0ne"])).toEqual(
        refused("conflict", /^timmy-bb: the lock l is not held by this token\nhint: its time was up, .*\n$/),
      );
    }
    expect(await place.run(["set", "k", "v", "--lock", "l", "--fence", "1"])).toEqual(
      refused(
        "conflict",
        /^timmy-bb: not written: no grant of the lock l stands as 1; it was granted last to ada, \S+ ago\nhint: .*\n$/,
      ),
    );
  });

  test("129, 130, 131 and 143 for a follower told to stop, silently", async () => {
    const place = makePlace();
    for (const [signal, name] of [
      ["SIGHUP", "hungUp"],
      ["SIGINT", "interrupted"],
      ["SIGQUIT", "quit"],
      ["SIGTERM", "terminated"],
    ] as const) {
      const follower = place.start(["subscribe", `c-${name}`, "--follow"]);
      await until("a receiver", async () => (await place.ask("publish", `c-${name}`, "x")) === "1\n", 20_000);
      await until("its message", () => follower.stdout().includes("x\n"));
      follower.process.kill(signal);
      const { exitCode, stderr, stdout } = await follower.ended;
      expect({ exitCode, stderr }).toEqual({ exitCode: codeOf(name), stderr: "" });
      expect(stdout.toString()).toMatch(/^(x\n)+$/);
      const [{ followers }] = JSON.parse(await place.ask("status", "--json")).stores;
      expect(followers).toBe(0);
    }
  });

  test("a closed pipe is 0 and silent: much output, and a follower", async () => {
    const place = makePlace();
    await using board = await place.openBoard();
    const names = Array.from(
      { length: 150 },
      (_, n) => `key-${String(n).padStart(3, "0")}-${"x".repeat(990)}`,
    );
    for (const name of names) await board.set(name, "v");
    const cut = await place.bash('timmy-bb keys | head -1; echo "$PIPESTATUS"');
    expect(cut).toEqual(done(`${names[0]}\n0\n`));
    const follower = place.startBash('timmy-bb subscribe talk --follow | head -1; echo "$PIPESTATUS"');
    // The follower notices at a write that its reader is gone, so it is written to until it ends.
    const isOver = () => follower.process.exitCode !== null;
    const sendOn = async () => {
      await board.publish("talk", "hello");
      return isOver();
    };
    await until("its end", sendOn, 20_000);
    const { stdout, stderr } = await follower.ended;
    expect({ out: stdout.toString(), stderr }).toEqual({ out: "hello\n0\n", stderr: "" });
  });

  test("errors as JSON, one object on stderr", async () => {
    const place = makePlace();
    await place.ask("set", "k", "v");
    const calls: ReadonlyArray<readonly [string[], string, ExitName]> = [
      [["get", ""], "usage", "usage"],
      [["subscribe", "c", "--wait", "50ms"], "timeout", "timeout"],
      [["set", "k", "w", "--if-absent"], "conflict", "conflict"],
    ];
    for (const [args, kind, exit] of calls) {
      const { exit: code, out, err } = await place.run([...args, "--json"]);
      expect({ code, out, lines: err.split("\n").length }).toEqual({ code: codeOf(exit), out: "", lines: 2 });
      const { error } = JSON.parse(err);
      expect(Object.keys(error)).toEqual(["kind", "message", "hint", "exit"]);
      expect(error).toMatchObject({ kind, exit: codeOf(exit), message: expect.stringMatching(/./) });
    }
  });
});

describe.concurrent("without a store", () => {
  test("2 for a wrong configuration, naming file and line", async () => {
    const place = Workplace.bare();
    writeFileSync(place.path("config.yaml"), "blackboard:\n  backend: memory\n  keyspce_prefix: x\n");
    expect(await place.run(["get", "k"])).toEqual(
      refused("usage", /^timmy-bb: config\.yaml:3: .*keyspce_prefix.*\n(hint: )?.*keyspace_prefix/s),
    );
  });

  test("4 unavailable: nobody there", async () => {
    const place = Workplace.bare({ TIMMY_BB_BACKEND: "redis", TIMMY_BB_URL: "redis://127.0.0.1:1" });
    const message = "cannot reach redis://127.0.0.1:1 (connection refused)";
    const hint = "is the server running there?";
    expect(await place.run(["get", "k"])).toEqual({
      exit: codeOf("unavailable"),
      out: "",
      err: `timmy-bb: ${message}\nhint: ${hint}\n`,
    });
    const { err } = await place.run(["get", "k", "--json"]);
    expect(err).toBe(`${JSON.stringify({ error: { kind: "unavailable", message, hint, exit: 4 } })}\n`);
  });

  test("4 unavailable: a damaged board file", async () => {
    const place = Workplace.memory();
    mkdirSync(join(place.boardFile, ".."), { recursive: true });
    writeFileSync(place.boardFile, "this is not a database, and long enough to be looked at\n".repeat(100));
    expect(await place.run(["get", "k"])).toEqual(
      refused("unavailable", /^timmy-bb: .*board\.db is not a board file, or is damaged\nhint: move it away/),
    );
  });

  test("70 when the program cannot be loaded", async () => {
    const copy = tempDir("broken");
    cpSync(dirname(BIN), join(copy, "bin"), { recursive: true });
    writeFileSync(join(copy, "package.json"), '{"type":"module"}');
    const run = () =>
      start(process.execPath, [join(copy, "bin/timmy-bb.js"), "get", "k"], { env: {}, cwd: copy }).ended;
    const missing = await run();
    expect(missing).toMatchObject({ exitCode: codeOf("bug"), stdout: Buffer.alloc(0) });
    expect(missing.stderr).toMatch(/^timmy-bb: cannot be loaded: .*\n/);
    mkdirSync(join(copy, "dist"));
    for (const wrong of [
      "syntax error (",
      "throw new Error('at load')",
      "export const main = 1;",
      "exports.main = 1;",
    ]) {
      writeFileSync(join(copy, "dist/timmy-bb.cjs"), wrong);
      expect((await run()).exitCode).toBe(70);
    }
  });
});

describe("4 unknown", () => {
  test("a server stopped after the connection was made: the outcome is unknown, and said so", async () => {
    await using own = await RedisServer.start();
    const place = Workplace.redis(own, { TIMMY_BB_TIMEOUT: "800ms" });
    const publisher = place.start(["publish", "c", "--lines"], { input: "open" });
    publisher.process.stdin?.write("one\n");
    await until("the first answer", () => publisher.stdout().toString() === "0\n", 20_000);
    own.pause();
    publisher.process.stdin?.write("two\n");
    const { exitCode, stdout, stderr } = await publisher.ended;
    own.resume();
    expect({ exitCode, out: stdout.toString() }).toEqual({ exitCode: codeOf("unavailable"), out: "0\n" });
    expect(stderr).toMatch(
      /^timmy-bb: redis:\/\/127\.0\.0\.1:\d+ was told and did not answer \(no answer within 800 ms\)\nhint: it may or may not have happened.*\n$/,
    );
  });
});

test("every row of the table has been proven", () => {
  expect([...proven].sort()).toEqual(Object.keys(EXITS).sort());
});

test("to wait for longer than a timer of Node can is to wait", async () => {
  const place = Workplace.memory();
  const follower = place.start(["subscribe", "c", "--wait", "30d"]);
  await until("the follower", async () => (await place.ask("publish", "c", "m")) === "1\n");
  expect(said(await follower.ended)).toEqual(done("m\n"));
});

test("a fault that nobody catches is 70, not absent", async () => {
  const place = Workplace.memory();
  const env = insideProgram("setTimeout(() => Promise.reject(new Error('late')), 300)");
  const { exit, err } = await place.run(["subscribe", "c", "--wait", "20s"], { env });
  expect([exit, err]).toEqual([70, "timmy-bb: a fault of timmy-bb: late\n"]);
});
