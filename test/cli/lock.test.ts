/** `lock acquire`, `refresh`, `release`, `show`, `list`: tokens, texts, exits, and the words of commands that have two. */
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { untilIdle } from "../helpers/idle.ts";
import { onTerminal } from "../helpers/pty.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { done, said, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

const STORES: ReadonlyArray<readonly [string, () => Workplace]> = [
  ["memory", () => Workplace.memory()],
  ["redis", () => Workplace.redis(server)],
];

/** Resolves when so many stand in line. */
async function inLine(place: Workplace, lock: string, count: number): Promise<void> {
  await using board = await place.openBoard();
  await until("the line", async () => ((await board.locks.show(lock))?.waiting ?? 0) === count);
}

describe.concurrent.each(STORES)("on %s", (_name, makePlace) => {
  test("across processes: the token alone holds it, by the environment or as an option", async () => {
    const place = makePlace();
    const token = (await place.ask("lock", "acquire", "l")).trimEnd();
    expect(token).toMatch(/^[0-9a-f]{32}$/);
    const env = { TIMMY_BB_LOCK_TOKEN: token };
    expect(await place.run(["lock", "refresh", "l"], { env })).toEqual(done());
    expect(await place.run(["lock", "refresh", "l", "--ttl", "1h", "--token", token])).toEqual(done());
    const left = (await place.ask("lock", "show", "l")).trimEnd().split("\t")[5];
    expect(left).toMatch(/^(1h|59m\d+s)$/);
    // An option that is given is what counts, even if it is empty: a variable that is unset must not release another lock.
    expect((await place.run(["lock", "release", "l", "--token", ""], { env })).exit).toBe(2);
    expect(await place.run(["lock", "release", "l"], { env })).toEqual(done());
    const lost = await place.run(["lock", "release", "l"], { env });
    expect([lost.exit, lost.err]).toEqual([5, expect.not.stringContaining(token)]);
    expect(await place.run(["lock", "show", "l"])).toEqual({ exit: 1, out: "", err: "" });
  });

  test("told to stop while it waits, it leaves the line, silently", async () => {
    const place = makePlace();
    await place.ask("lock", "acquire", "l");
    for (const [signal, exit] of [
      ["SIGTERM", 143],
      ["SIGINT", 130],
    ] as const) {
      const waiting = place.start(["lock", "acquire", "l"]);
      await inLine(place, "l", 1);
      waiting.process.kill(signal);
      expect(said(await waiting.ended)).toEqual({ exit, out: "", err: "" });
      await using board = await place.openBoard();
      expect((await board.locks.show("l"))?.waiting).toBe(0);
    }
  });
});

// What the stores do, the conformance suite proves on both: these are of what the command says.
describe.concurrent("on one store", () => {
  const makePlace = (env = {}) => Workplace.memory(env);

  test("who waits is told for whom, and gets it when it is released", async () => {
    const place = makePlace();
    const token = (await place.ask("lock", "acquire", "l", "--agent", "ada")).trimEnd();
    const waiting = place.start(["lock", "acquire", "l", "--timeout", "2s"]);
    await until("the notice", () => waiting.stderr() !== "");
    await place.ask("lock", "release", "l", "--token", token);
    const { exit, out, err } = said(await waiting.ended);
    expect([exit, out]).toEqual([0, expect.stringMatching(/^[0-9a-f]{32}\n$/)]);
    expect(err).toMatch(/^timmy-bb: waiting: the lock l is held by ada \(host \S+, pid \d+\) for \S+\n$/);
  });

  test("nobody who could read the token: it is given back", async () => {
    const place = makePlace();
    const script =
      "(timmy-bb lock acquire l; echo $? >&2) | exec true; until ! timmy-bb lock show l > holders; do :; done";
    expect(await place.bash(script)).toEqual({ exit: 0, out: "", err: "0\n" });
    const closed = await place.bash("timmy-bb lock acquire l >&-; echo $? >&2");
    expect(closed.err).toMatch(
      /^timmy-bb: standard output is closed or nothing, .*\nhint: lock run .*\n2\n$/,
    );
    expect((await place.run(["lock", "show", "l"])).exit).toBe(1);
  });

  test("as JSON: the token once, and what is known of a lock", async () => {
    const place = makePlace({ TIMMY_BB_AGENT: "ada" });
    const begun = Date.now();
    const granted = JSON.parse(
      await place.ask("lock", "acquire", "l", "--ttl", "1m", "--slots", "2", "--json"),
    );
    expect(Object.keys(granted)).toEqual(["lock", "token", "fence", "expires_at"]);
    const { token, fence, expires_at } = granted;
    expect(expires_at - begun).toBeGreaterThanOrEqual(60_000);
    const words = ["--token", token, "--json"];
    const refreshed = JSON.parse(await place.ask("lock", "refresh", "l", ...words));
    expect(refreshed).toEqual({ lock: "l", fence, expires_at: expect.any(Number) });
    const shown = await place.ask("lock", "show", "l", "--json");
    const holder = { owner: "ada", host: expect.any(String), pid: process.pid, fence };
    const times = { age_ms: expect.any(Number), left_ms: expect.any(Number) };
    const facts = { lock: "l", holders: [{ ...holder, ...times }], waiting: 0 };
    expect(JSON.parse(shown)).toEqual(facts);
    expect(JSON.parse(await place.ask("lock", "list", "--json"))).toEqual(facts);
    expect(shown).not.toContain(token);
    expect(await place.run(["lock", "release", "l", ...words])).toEqual(done('{"lock":"l"}\n'));
    const { exit, out, err } = await place.run(["lock", "release", "l", ...words]);
    expect([exit, out]).toEqual([5, ""]);
    expect(JSON.parse(err).error).toMatchObject({ kind: "conflict", exit: 5, hint: expect.any(String) });
    expect(await place.run(["lock", "list", "--json"])).toEqual(done());
  });

  test("show and list: who holds what, by name; the process is the one that called", async () => {
    const place = makePlace();
    const { out: pid } = await place.bash(
      'timmy-bb lock acquire b --slots 2 > tokens; timmy-bb lock acquire a --agent "ada l" >> tokens; echo $$',
    );
    await place.ask("lock", "acquire", "b", "--slots", "2", "--agent", "ben");
    const rows = (await place.ask("lock", "list"))
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(rows.map(([lock, owner]) => [lock, owner])).toEqual([
      ["a", "ada l"],
      ["b", expect.stringContaining("@")],
      ["b", "ben"],
    ]);
    expect(rows.map((row) => row[3])).toEqual([pid.trimEnd(), pid.trimEnd(), String(process.pid)]);
    expect(rows.every((row) => row.length === 7)).toBe(true);
    const times = rows.flatMap((row) => row.slice(5));
    expect(times.every((time) => /^\d+(ms|s|m)(\d+s)?$/.test(time))).toBe(true);
    const held = (await place.ask("lock", "show", "b"))
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(held.map((row) => row.slice(0, 4))).toEqual(rows.slice(1).map((row) => row.slice(1, 5)));
    const { screen } = await onTerminal(place, "timmy-bb lock list; timmy-bb lock show a", { NO_COLOR: "1" });
    const heads = screen
      .split("\n")
      .filter((line) => line.includes("OWNER"))
      .map((line) => line.split(/ +/));
    const own = ["OWNER", "HOST", "PID", "FENCE", "AGE", "LEFT"];
    expect(heads).toEqual([["LOCK", ...own], own]);
  });

  test("inside lock run the same lock is refused, not waited for", async () => {
    const inside = "timmy-bb lock run l -- timmy-bb lock acquire l";
    const { exit, out, err } = await makePlace().bash(inside);
    expect([exit, out]).toEqual([5, ""]);
    expect(err).toContain("hint: locks are not reentrant");
  });

  test("what makes no sense is refused", async () => {
    const place = makePlace();
    const refusals: ReadonlyArray<readonly [string[], string]> = [
      [["acquire"], "missing: name"],
      [["acquire", ""], "the lock is empty"],
      [["acquire", "a\tb"], "the lock contains a control character"],
      [["acquire", "l", "--wait", "1s", "--no-wait"], "--wait and --no-wait cannot go together"],
      [["acquire", "l", "--ttl", "50ms"], "a lock's time to live must be at least 100 ms"],
      [["acquire", "l", "--slots", "0"], "--slots: must be a whole number, at least 1"],
      [["refresh", "l"], "no token given"],
      [["release", "l", "--token", "no token"], "that is no token of a lock"],
      [["refresh", "l", "--token", "t", "--ttl", "0"], "--ttl: must be longer than nothing"],
      [["list", "l"], "too many arguments"],
      [["run", "l"], "behind -- the command to run is missing"],
      [["run", "l", "true"], "too many arguments\nhint: a command to run goes behind --;"],
    ];
    for (const [words, message] of refusals) {
      const { exit, out, err } = await place.run(["lock", ...words]);
      expect({ words, exit, out }).toEqual({ words, exit: 2, out: "" });
      expect(err.startsWith(`timmy-bb: ${message}`), err).toBe(true);
    }
    expect(await place.run(["lock", "list"])).toEqual(done());
  });
});

test("told to stop in the very moment it is granted: nothing is printed, and nothing held", async () => {
  await using own = await RedisServer.start();
  const place = Workplace.redis(own);
  await own.cli("client", "pause", "30000", "write");
  const asking = place.start(["lock", "acquire", "l"]);
  await until("the call", async () => /blocked_clients:[1-9]/.test(await own.cli("info", "clients")));
  asking.process.kill("SIGTERM");
  await untilIdle(asking.pid);
  await own.cli("client", "unpause");
  expect(said(await asking.ended)).toEqual({ exit: 143, out: "", err: "" });
  expect((await place.run(["lock", "show", "l"])).exit).toBe(1);
});

describe.concurrent("a name of two words", () => {
  test("global options before, between and behind them", async () => {
    const place = Workplace.memory();
    for (const words of [
      ["--json", "--prefix", "p", "lock", "acquire", "l"],
      ["lock", "--json", "--prefix", "p", "acquire", "l"],
      ["lock", "acquire", "l", "--json", "--prefix=p"],
      ["--prefix", "p", "lock", "--json", "acquire", "--no-wait", "l"],
    ]) {
      const { lock, token } = JSON.parse(await place.ask(...words));
      expect(lock).toBe("l");
      await place.ask("lock", "release", "--prefix", "p", "l", "--token", token);
    }
  });

  test("the first alone, and its help", async () => {
    const place = Workplace.bare({ TIMMY_BB_BACKEND: "nonsense" });
    expect(await place.run(["lock"])).toEqual({
      exit: 2,
      out: "",
      err: "timmy-bb: lock alone is no command\nhint: timmy-bb lock --help lists what there is\n",
    });
    const { exit, out, err } = await place.run(["lock", "--help"]);
    expect([exit, err]).toEqual([0, ""]);
    expect(out).toMatch(/^Usage: timmy-bb lock <command> \[options\]\n/);
    expect([...out.matchAll(/^ {2}lock (\w+) /gm)].map(([, word]) => word)).toEqual([
      "run",
      "acquire",
      "refresh",
      "release",
      "show",
      "list",
    ]);
    for (const words of [
      ["help", "lock"],
      ["-h", "lock"],
      ["lock", "-h"],
    ])
      expect(await place.run(words)).toEqual(done(out));
    const run = await place.ask("lock", "run", "--help");
    expect(run).toMatch(/^Usage: timmy-bb lock run <name> \[options\] -- CMD ARG…\n/);
    for (const words of [
      ["lock", "-h", "run"],
      ["lock", "run", "l", "--help"],
    ])
      expect(await place.run(words)).toEqual(done(run));
  });

  test.each([
    [["lock", "aquire", "l"], 'there is no command "lock aquire"\nhint: did you mean lock acquire?\n'],
    [["help", "lock", "shwo"], 'there is no command "lock shwo"\nhint: did you mean lock show?\n'],
    [["lock", "frob"], 'there is no command "lock frob"\nhint: timmy-bb lock --help lists the commands\n'],
    [["lokc", "run"], 'there is no command "lokc"\nhint: did you mean lock?\n'],
    [["acquire", "l"], 'there is no command "acquire"\nhint: timmy-bb --help lists the commands\n'],
    [["lock", "s3cret\nl"], "there is no command\nhint: timmy-bb lock --help lists the commands\n"],
    [["lock", "--frob", "acquire", "l"], "there is no option --frob\nhint: "],
    [["lock", "acquire", "l", "--tll", "1s"], "there is no option --tll\nhint: did you mean --ttl?\n"],
  ])("%j", async (words, message) => {
    const { exit, out, err } = await Workplace.memory().run(words);
    expect([exit, out]).toEqual([2, ""]);
    expect(err.startsWith(`timmy-bb: ${message}`), err).toBe(true);
  });
});
