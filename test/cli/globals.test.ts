/** What every command has: global options, settings and their order, help, version, and silence about secrets. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { COMMANDS } from "../../src/cli/commands/index.ts";
import { GLOBAL_OPTIONS } from "../../src/cli/globals.ts";
import { ROOT } from "../helpers/cli.ts";
import { killProcesses, start } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";
import { done, runBare, said, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
let guarded: RedisServer;
const PASSWORD = "hunter2/#%s3cret";
beforeAll(async () => {
  [server, guarded] = await Promise.all([RedisServer.start(), RedisServer.start({ password: PASSWORD })]);
});
afterAll(async () => {
  killProcesses();
  await Promise.all([server.stop(), guarded.stop()]);
  removeTempDirs();
});

interface Status {
  readonly store: string;
  readonly config_file: string | null;
  readonly settings: ReadonlyArray<{
    readonly name: string;
    readonly value: string;
    readonly origin: string;
  }>;
}

async function statusOf(place: Workplace, ...args: string[]): Promise<Status> {
  return JSON.parse(await place.ask(...args, "status", "--json")) as Status;
}

function setting({ settings }: Status, name: string): readonly [string | undefined, string | undefined] {
  const found = settings.find((one) => one.name === name);
  return [found?.value, found?.origin];
}

describe.concurrent("global options", () => {
  const OPTIONS: ReadonlyArray<readonly [string, string, string, string]> = [
    ["--backend", "memory", "backend", "memory"],
    ["--url", "redis://example.test:7/3", "redis.url", "redis://example.test:7/3"],
    ["--prefix", "p", "keyspace_prefix", "p"],
    ["--agent", "ada", "agent", "ada"],
    ["--timeout", "90s", "timeout", "1m30s"],
  ];

  test.each(OPTIONS)("%s before, after, and with =", async (flag, value, name, shown) => {
    const place = Workplace.memory();
    const forms = [
      [flag, value, "status", "--json"],
      ["status", flag, value, "--json"],
      [`${flag}=${value}`, "status", "--json"],
      ["status", "--json", `${flag}=${value}`],
    ];
    for (const form of forms) {
      const status = JSON.parse(await place.ask(...form)) as Status;
      const [found, origin] = setting(status, name);
      expect({ form, found, origin }).toEqual({ form, found: shown, origin: `flag ${flag}` });
    }
  });

  test("-c and --config, before and after", async () => {
    const place = Workplace.bare();
    writeFileSync(place.path("mine.yaml"), "blackboard:\n  backend: memory\n  keyspace_prefix: mine\n");
    for (const form of [
      ["-c", "mine.yaml", "status", "--json"],
      ["status", "--json", "-c", "mine.yaml"],
      ["--config=mine.yaml", "status", "--json"],
      ["-cmine.yaml", "status", "--json"],
    ]) {
      const status = JSON.parse(await place.ask(...form)) as Status;
      expect(setting(status, "keyspace_prefix")).toEqual(["mine", "mine.yaml:3"]);
      expect(status.config_file).toBe(place.path("mine.yaml"));
    }
  });

  test("--json, --quiet and --debug, before and after", async () => {
    const place = Workplace.memory();
    const away = Workplace.bare({ TIMMY_BB_URL: "redis://127.0.0.1:1" });
    await place.ask("set", "k", "v");
    expect((await place.run(["--json", "get", "k"])).out).toMatch(/^\{"key":"k","value":"v",.*\}\n$/);
    for (const flag of ["-q", "--quiet"]) {
      expect(await away.run([flag, "keys"])).toEqual(done());
      expect(await away.run(["keys", flag])).toEqual(done());
    }
    expect(await away.run(["keys", "-lq"])).toEqual(done());
    expect((await away.run(["keys", "--json"])).err).toMatch(/^\{"notice":"cannot reach .*"\}\n$/);
    for (const form of [
      ["--debug", "get", ""],
      ["get", "", "--debug"],
    ]) {
      expect((await place.run(form)).err).toMatch(/\n {4}at /);
    }
    expect((await place.run(["get", ""])).err).not.toMatch(/\n {4}at /);
  });

  test("--quiet leaves errors alone", async () => {
    expect((await Workplace.memory().run(["get", "", "-q"])).err).toMatch(/^timmy-bb: the key is empty\n/);
  });

  test("behind -- nothing is an option", async () => {
    const place = Workplace.memory();
    for (const value of ["--json", "--help", "--version", "-q", "-", "--", "-x"].filter(
      (one) => one !== "-",
    )) {
      expect(await place.run(["set", "k", "--", value])).toEqual(done());
      expect(await place.run(["get", "k"])).toEqual(done(`${value}\n`));
    }
    expect(await place.run(["get", "--", "--nothing"])).toEqual({ exit: 1, out: "", err: "" });
  });

  test("negative numbers are values", async () => {
    const place = Workplace.memory();
    expect(await place.run(["incr", "n", "-3"])).toEqual(done("-3\n"));
    expect(await place.run(["incr", "n", "--", "-4"])).toEqual(done("-7\n"));
    expect(await place.run(["set", "k", "-5"])).toEqual(done());
    expect(await place.run(["get", "k", "--default", "-1"])).toEqual(done("-5\n"));
    expect(await place.run(["get", "none", "--default", "-1"])).toEqual(done("-1\n"));
  });
});

describe.concurrent("settings", () => {
  test("flag over environment over file over default", async () => {
    const place = Workplace.bare();
    writeFileSync(
      place.path("config.yaml"),
      "blackboard:\n  backend: memory\n  keyspace_prefix: file\n  agent: file\n",
    );
    mkdirSync(place.path("below"));
    const env = { TIMMY_BB_PREFIX: "env" };
    const at = async (args: string[], more: Record<string, string> = {}) =>
      setting(
        JSON.parse((await place.run(["status", "--json", ...args], { env: more })).out),
        "keyspace_prefix",
      );
    expect(await at(["--prefix", "flag"], env)).toEqual(["flag", "flag --prefix"]);
    expect(await at([], env)).toEqual(["env", "environment TIMMY_BB_PREFIX"]);
    expect(await at([])).toEqual(["file", "config.yaml:3"]);
    const status = await statusOf(place);
    expect(setting(status, "agent")).toEqual(["file", "config.yaml:4"]);
    expect(setting(status, "ttl_seconds")).toEqual(["3600", "default"]);
    const below = await place.bash("cd below && timmy-bb status | grep ^keyspace_prefix");
    expect(below.out).toMatch(/^keyspace_prefix\tfile\t.*config\.yaml:3\n$/);
  });

  test("enabled: false stops every command that would touch the board, and nothing else", async () => {
    const place = Workplace.memory();
    writeFileSync(place.path("config.yaml"), "blackboard:\n  enabled: false\n");
    for (const args of [
      ["get", "k"],
      ["set", "k", "v"],
      ["status"],
      ["subscribe", "c"],
      ["clear", "--yes"],
    ]) {
      expect(await place.run(args)).toEqual({
        exit: 2,
        out: "",
        err: "timmy-bb: the blackboard is disabled (enabled: false, config.yaml:2)\nhint: set blackboard.enabled to true to use it\n",
      });
    }
    expect((await place.run(["--help"])).exit).toBe(0);
    expect((await place.run(["get", "--help"])).exit).toBe(0);
  });

  test("in cron: an empty environment", async () => {
    const place = Workplace.bare();
    const data = { TIMMY_BB_DATA_DIR: place.path("data"), TIMMY_BB_BACKEND: "memory" };
    expect(said(await runBare(["set", "k", "v"], place.dir, data))).toEqual(done());
    expect(said(await runBare(["get", "k"], place.dir, data))).toEqual(done("v\n"));
    expect(said(await runBare(["get", "k"], place.dir, { ...data, HOME: "" }))).toEqual(done("v\n"));
    const none = said(await runBare(["get", "k"], place.dir, { HOME: "", TIMMY_BB_BACKEND: "memory" }));
    expect(none.exit).toBe(2);
    expect(none.err).toMatch(
      /^timmy-bb: there is no home directory .*\nhint: set HOME, or .*TIMMY_BB_DATA_DIR/,
    );
    for (const backend of ["redis", "auto"]) {
      const redis = { HOME: "", TIMMY_BB_BACKEND: backend, TIMMY_BB_URL: server.url };
      expect(said(await runBare(["set", "cron", "v"], place.dir, redis))).toEqual(done());
    }
  });
});

describe.concurrent("typing errors", () => {
  const CALLS: ReadonlyArray<readonly [string[], string]> = [
    [["gte", "k"], 'timmy-bb: there is no command "gte"\nhint: did you mean get?\n'],
    [["xyzzy"], 'timmy-bb: there is no command "xyzzy"\nhint: timmy-bb --help lists the commands\n'],
    [["help", "kyes"], 'timmy-bb: there is no command "kyes"\nhint: did you mean keys?\n'],
    [["get", "k", "--jsno"], "timmy-bb: there is no option --jsno\nhint: did you mean --json?\n"],
    [["set", "k", "v", "--tll", "5s"], "timmy-bb: there is no option --tll\nhint: did you mean --ttl?\n"],
    [
      ["--backnd", "memory", "get", "k"],
      "timmy-bb: there is no option --backnd\nhint: did you mean --backend?\n",
    ],
    [
      ["get", "k", "-x"],
      "timmy-bb: there is no option -x\nhint: a value that begins with - goes behind --\n",
    ],
    [["get"], "timmy-bb: missing: key\nhint: timmy-bb get --help shows how\n"],
    [
      ["get", "a", "b"],
      "timmy-bb: too many arguments\nhint: quote a value with spaces; timmy-bb get --help shows how\n",
    ],
    [[], "timmy-bb: no command given\nhint: timmy-bb --help lists the commands\n"],
    [
      ["--json"],
      '{"error":{"kind":"usage","message":"no command given","hint":"timmy-bb --help lists the commands","exit":2}}\n',
    ],
  ];

  test.each(CALLS)("timmy-bb %j", async (args, err) => {
    expect(await Workplace.memory().run(args)).toEqual({ exit: 2, out: "", err });
  });

  test("an option without its value", async () => {
    const { exit, err } = await Workplace.memory().run(["get", "k", "--prefix"]);
    expect({ exit, err: err.split("\n")[0] }).toEqual({
      exit: 2,
      err: "timmy-bb: --prefix <prefix>: the value is missing",
    });
  });
});

describe.concurrent("help and version", () => {
  test.each([...COMMANDS.keys()])(
    "%s --help, -h and help %s: every option, without any configuration",
    async (name) => {
      const place = Workplace.bare({ TIMMY_BB_BACKEND: "nonsense" });
      writeFileSync(place.path("config.yaml"), "blackboard:\n  nonsense: true\n");
      const words = name.split(" ");
      const { exit, out, err } = await place.run([...words, "--help"]);
      expect({ exit, err }).toEqual({ exit: 0, err: "" });
      const spec = await COMMANDS.get(name)?.();
      for (const { flags } of [...(spec?.options ?? []), ...GLOBAL_OPTIONS]) expect(out).toContain(flags);
      for (const { shell } of spec?.examples ?? []) expect(out).toContain(shell);
      expect(await place.run(["help", ...words])).toEqual(done(out));
      expect(await place.run(["-h", ...words])).toEqual(done(out));
    },
  );

  test("--help and help list every command, option and exit code", async () => {
    const place = Workplace.bare();
    const { exit, out, err } = await place.run(["--help"]);
    expect({ exit, err }).toEqual({ exit: 0, err: "" });
    for (const name of COMMANDS.keys()) expect(out).toMatch(new RegExp(`^ {2}${name} `, "m"));
    for (const { flags } of GLOBAL_OPTIONS) expect(out).toContain(flags);
    for (const code of [0, 1, 2, 3, 4, 5, 70, 129, 130, 131, 143])
      expect(out).toMatch(new RegExp(`^ {2}${code} `, "m"));
    expect(await place.run(["help"])).toEqual(done(out));
    expect(await place.run(["-h"])).toEqual(done(out));
  });

  test("--version is the package's, before and after a command", async () => {
    const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as { version: string };
    const place = Workplace.bare();
    expect(await place.run(["--version"])).toEqual(done(`${version}\n`));
    expect(await place.run(["-V"])).toEqual(done(`${version}\n`));
    expect(await place.run(["get", "--version"])).toEqual(done(`${version}\n`));
  });
});

describe.concurrent("secrets", () => {
  const SECRET = "s3cretvalue";

  test("no error repeats a value", async () => {
    const place = Workplace.memory();
    await place.ask("set", "k", SECRET);
    await place.ask("set", "list", "x");
    const calls: ReadonlyArray<readonly string[]> = [
      ["set", "k", `-${SECRET}`],
      ["set", "k", "-secretvalue"],
      ["set", "k", SECRET, SECRET],
      ["set", "k", SECRET, "--if-absent"],
      ["set", "k", "x", "--if-value", `${SECRET}x`],
      ["set", "k", SECRET, "--file", "/nowhere"],
      ["set", "k", SECRET, "--ttl"],
      ["set", "", SECRET],
      ["set", "k", SECRET, "--nonsense"],
      ["set", "k", "v", `--nonsense=${SECRET}`],
      ["incr", "k"],
      ["incr", "k", SECRET],
      ["publish", "c", SECRET, "--lines"],
      ["publish", "", SECRET],
      ["--pasword", SECRET, "get", "k"],
      ["--nonsense", "secretvalue", "get", "k"],
    ];
    for (const args of calls) {
      for (const more of [["--debug"], ["--json"]]) {
        const { exit, err } = await place.run([...more, ...args]);
        expect(exit).toBeGreaterThan(0);
        expect({ args, err: /s3cretvalue|secretvalue/.test(err) ? err : "" }).toEqual({ args, err: "" });
      }
    }
  });

  test("a password in --url works, with one warning; from the environment without", async () => {
    const place = Workplace.redis(guarded, { TIMMY_BB_URL: "" });
    const { exit, out, err } = await place.run(["set", "k", "v", "--url", guarded.url]);
    expect({ exit, out }).toEqual({ exit: 0, out: "" });
    expect(err).toBe(
      "timmy-bb: the password in --url shows in the list of processes; set TIMMY_BB_REDIS_PASSWORD instead\n",
    );
    expect(await place.run(["get", "k", "--url", guarded.url, "-q"])).toEqual(done("v\n"));
    const env = { TIMMY_BB_URL: `redis://127.0.0.1:${guarded.port}`, TIMMY_BB_REDIS_PASSWORD: PASSWORD };
    expect(await place.run(["get", "k"], { env })).toEqual(done("v\n"));
  });

  test("no error, notice or status shows a password", async () => {
    const place = Workplace.bare();
    const wrong = `redis://:wr0ng-${SECRET}@127.0.0.1`;
    writeFileSync(
      place.path("pw.yaml"),
      `blackboard:\n  backend: redis\n  redis: { password: "${SECRET}", url: [ }\n`,
    );
    writeFileSync(place.path("num.yaml"), "blackboard:\n  redis:\n    password: 900900900\n");
    const calls: ReadonlyArray<readonly string[]> = [
      ["get", "k", "--backend", "redis", "--url", `${wrong}:${guarded.port}`],
      ["get", "k", "--backend", "redis", "--url", `${wrong}:1`],
      ["get", "k", "--url", `${wrong}:1`],
      ["get", "k", "--backend", "redis", "--url", `${wrong}:${server.port}`],
      ["get", "k", "--backend", "redis", "--url", `${wrong}:${guarded.port}/99`],
      ["get", "k", "--url", `${wrong}:port`],
      ["get", "k", "--url", `http://user:${SECRET}@host`],
      ["get", "k", "--config", "pw.yaml"],
      ["get", "k", "--config", "num.yaml"],
      ["status", "--url", `${wrong}:1`],
      ["status", "--json", "--url", `${wrong}:1`],
    ];
    for (const args of calls) {
      const { out, err } = await place.run([...args, "--debug"]);
      const shown = out + err;
      expect({ args, shown: /s3cretvalue|wr0ng|900900900/.test(shown) ? shown : "" }).toEqual({
        args,
        shown: "",
      });
    }
  });

  test("a follower's command line is all that a password could show in", async () => {
    const place = Workplace.redis(guarded, {
      TIMMY_BB_URL: `redis://127.0.0.1:${guarded.port}`,
      TIMMY_BB_REDIS_PASSWORD: PASSWORD,
    });
    const follower = place.start(["subscribe", "c", "--follow"]);
    await until("the follower", async () => (await place.ask("publish", "c", "x")) === "1\n", 20_000);
    expect(readFileSync(`/proc/${follower.pid}/cmdline`, "utf8")).not.toContain(PASSWORD);
    follower.process.kill("SIGTERM");
    expect((await follower.ended).exitCode).toBe(143);
  });
});

describe("--timeout", () => {
  test("bounds every command on a server that is paused, and on one that never answers", async () => {
    await using own = await RedisServer.start();
    const place = Workplace.redis(own);
    await place.ask("set", "k", "v");
    own.pause();
    const calls = [
      ["get", "k"],
      ["set", "k", "w"],
      ["keys"],
      ["status"],
      ["publish", "c", "m"],
      ["clear"],
      ["subscribe", "c"],
    ];
    const began = performance.now();
    const ends = await Promise.all(calls.map((args) => place.run([...args, "--timeout", "500ms"])));
    const tookMs = performance.now() - began;
    own.resume();
    for (const { exit, out, err } of ends) {
      expect({ exit, out, err }).toEqual({
        exit: 4,
        out: "",
        err: expect.stringMatching(/no answer within \d+ ms/),
      });
    }
    expect(tookMs).toBeLessThan(10_000); // seven processes on two busy cores; unbounded, it would not end at all
    expect(await own.cli("get", `${place.prefix}:k`)).toBe("v");
  });

  test("is refused when it is not a duration, wherever it comes from", async () => {
    const place = Workplace.memory();
    expect((await place.run(["get", "k", "--timeout", "0"])).exit).toBe(2);
    expect((await place.run(["get", "k"], { env: { TIMMY_BB_TIMEOUT: "soon" } })).err).toContain(
      "TIMMY_BB_TIMEOUT",
    );
  });
});

test("the command finds itself through a symbolic link, from any directory", async () => {
  const place = Workplace.memory();
  const { exitCode, stdout } = await start("bash", ["-c", "cd / && timmy-bb --version"], {
    env: place.shellEnv(),
    cwd: place.dir,
  }).ended;
  expect({ exitCode, lines: stdout.toString().split("\n").length }).toEqual({ exitCode: 0, lines: 2 });
});

describe.concurrent("a value that looks like a question", () => {
  test.each(["-h", "-V", "--version"])(
    "%s is refused, not answered as if the write had happened",
    async (value) => {
      const place = Workplace.memory();
      const { exit, out } = await place.run(["set", "k", value]);
      expect([exit, out]).toEqual([2, ""]);
      expect(await place.ask("get", "nothing", "--default", value)).toBe(`${value}\n`);
      expect(await place.run(["set", "k", "--", value])).toEqual(done());
    },
  );

  test("help and version are still given where nothing else stands", async () => {
    const place = Workplace.memory();
    for (const words of [
      ["get", "-h"],
      ["get", "--help"],
      ["get", "k", "--help"],
      ["-h"],
      ["--json", "get", "--help"],
    ]) {
      expect((await place.ask(...words)).split(" ", 2).join(" ")).toBe("Usage: timmy-bb");
    }
    expect(await place.ask("get", "--version")).toBe(await place.ask("-V"));
  });

  test("--ttl and --no-ttl contradict each other", async () => {
    const place = Workplace.memory();
    for (const words of [
      ["--ttl", "1m", "--no-ttl"],
      ["--no-ttl", "--ttl", "1m"],
      ["--no-ttl", "--keep-ttl"],
    ]) {
      expect((await place.run(["set", "k", "v", ...words])).exit).toBe(2);
    }
    expect((await place.run(["exists", "k"])).exit).toBe(1);
  });
});
