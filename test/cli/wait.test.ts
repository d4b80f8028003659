/** `wait`: true already, or woken by another process; until present, absent, changed, of a value; several keys; a message. */
import { writeFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import type { Started } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { done, type Said, said, Workplace } from "../helpers/workplace.ts";

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

const late = (duration: string): Said => ({
  exit: 3,
  out: "",
  err: `timmy-bb: timed out after ${duration}\n`,
});

/** Resolves when so many wait: nothing that happens now was there before they looked. */
async function waiters(place: Workplace, count: number): Promise<void> {
  await using board = await place.openBoard();
  const followers = async () =>
    (await board.status()).stores.reduce((sum, store) => sum + store.followers, 0);
  await until("those who wait", async () => (await followers()) === count);
}

async function ends(waiting: Started): Promise<Said> {
  return said(await waiting.ended);
}

describe.concurrent.each(STORES)("on %s", (_name, makePlace) => {
  test("woken by another process", async () => {
    const place = makePlace();
    await place.ask("set", "there", "0");
    const calls: ReadonlyArray<readonly [string[], string]> = [
      [["wait", "k"], "1\n"],
      [["wait", "k", "there"], "k\t1\nthere\t0\n"],
      [["wait", "k", "none", "--any"], "k\t1\n"],
      [["wait", "k", "--value", "1"], "1\n"],
      [
        ["wait", "k", "there", "--changed", "--any", "--json"],
        expect.stringMatching(/^\{"key":"k","value":"1",/),
      ],
    ];
    const waiting = calls.map(([words]) => place.start(words));
    await waiters(place, calls.length);
    await place.ask("set", "other", "x");
    await place.ask("set", "k", "1");
    expect(await Promise.all(waiting.map(ends))).toEqual(calls.map(([, out]) => done(out)));
  });

  test("--channel: the next message, or one sent since", async () => {
    const place = makePlace();
    const next = ["wait", "--channel", "c"];
    expect(await place.run([...next, "--wait", "200ms"])).toEqual(late("200ms"));
    const waiting = place.start(next);
    await until("its end", async () => (await place.ask("publish", "c", "a\nb")) === "1\n");
    expect(await ends(waiting)).toEqual(done("a\nb\n"));
    expect((await place.run([...next, "--since", "1h", "--raw"])).out).toBe("a\nb");
    expect(await place.run([...next, "--since", "1h", "--wait", "0"])).toEqual(done("a\nb\n"));
    expect(await place.run([...next, "--wait", "0"])).toEqual(late("0s"));
    expect(await place.run(["wait", "--channel", "d", "--since", "1h", "--wait", "0s"])).toEqual(late("0s"));
    expect(await place.ask(...next, "--since", "1h", "--json")).toContain('"payload":"a\\nb"');
  });
});

// What the stores do differently, the conformance suite proves on both: these are of what the command says.
describe.concurrent("on one store", () => {
  const makePlace = () => Workplace.memory();

  test("true already: at once, as get prints it; several keys with their names", async () => {
    const place = makePlace();
    await place.bash("printf 'a\\nb' | timmy-bb set one; timmy-bb set two 2 --agent ada --no-ttl");
    expect(await place.run(["wait", "one"], { input: "open" })).toEqual(done("a\nb\n"));
    expect(await place.run(["wait", "one", "--raw"])).toEqual(done("a\nb"));
    expect(await place.run(["wait", "two", "one", "--wait", "10s"])).toEqual(done("two\t2\none\ta\\nb\n"));
    expect(await place.run(["wait", "two", "none", "two", "one", "--any"])).toEqual(
      done("two\t2\none\ta\\nb\n"),
    );
    expect(await place.run(["wait", "two", "--value", "2"])).toEqual(done("2\n"));
    writeFileSync(place.path("bytes"), "a\nb");
    expect(await place.run(["wait", "one", "--value-file", "bytes"])).toEqual(done("a\nb\n"));
    expect(await place.run(["wait", "none", "gone", "--absent"])).toEqual(done());
    expect(await place.run(["wait", "none", "--absent", "--json"])).toEqual(
      done('{"key":"none","value":null}\n'),
    );
    const got = await place.ask("get", "two", "--json");
    expect(await place.run(["wait", "two", "--json"])).toEqual(done(got));
    expect(JSON.parse(got)).toMatchObject({ key: "two", value: "2", by: "ada", ttl_ms: null });
  });

  test("not so: exit 3, with nothing printed", async () => {
    const place = makePlace();
    await place.ask("set", "k", "1");
    expect(await place.run(["wait", "k", "none", "--wait", "200ms"])).toEqual(late("200ms"));
    expect(await place.run(["wait", "k", "--value", "2", "--wait", "200ms"])).toEqual(late("200ms"));
    expect(await place.run(["wait", "k", "--absent", "--wait", "200ms"])).toEqual(late("200ms"));
    expect(await place.run(["wait", "k", "--changed", "--wait", "200ms"])).toEqual(late("200ms"));
    expect(await place.run(["wait", "none", "--wait", "0ms"])).toEqual(late("0s"));
    expect(await place.run(["wait", "k", "--wait", "0s"])).toEqual(done("1\n"));
  });

  test("--absent: woken by a deletion, and by an expiry that nobody reads", async () => {
    const place = makePlace();
    await place.bash("timmy-bb set deleted x; timmy-bb set expiring x --ttl 2s");
    const waiting = ["deleted", "expiring"].map((key) => place.start(["wait", key, "--absent"]));
    await waiters(place, 2);
    await place.ask("del", "deleted");
    expect(await Promise.all(waiting.map(ends))).toEqual([done(), done()]);
  });

  test("--changed --since: nothing is missed between reading and waiting", async () => {
    const place = makePlace();
    await place.ask("set", "k", "1");
    const { id } = JSON.parse(await place.ask("get", "k", "--json"));
    const changed = ["wait", "k", "--changed", "--since", id];
    expect(await place.run([...changed, "--wait", "200ms"])).toEqual(late("200ms"));
    await place.ask("set", "k", "2");
    expect(await place.run(changed)).toEqual(done("2\n"));
    await place.ask("del", "k");
    expect(await place.run(changed)).toEqual(done());
    expect(await place.run(["wait", "k", "--changed", "--since", "1h", "--json"])).toEqual(
      done('{"key":"k","value":null}\n'),
    );
  });

  test("in a script of an almost empty environment, under set -euo pipefail", async () => {
    const place = makePlace();
    const env = Object.entries(place.env).map(([name, value]) => `${name}=${value}`);
    const script = `
      set -euo pipefail
      (timmy-bb set result 'all green' &)
      answer=$(env -i PATH="$PATH" HOME="$HOME" ${env.join(" ")} timmy-bb wait result --wait 20s)
      echo "$answer"
      timmy-bb wait none --wait 100ms -q 2>/dev/null || echo "late: $?"
      timmy-bb wait result | head -c 3
    `;
    expect(await place.bash(script)).toEqual(done("all green\nlate: 3\nall"));
  });
});

test("a key that is no plain string: a conflict, for get --json and wait", async () => {
  const place = Workplace.redis(server);
  await server.cli("rpush", `${place.prefix}:list`, "a");
  const conflict = {
    exit: 5,
    out: "",
    err: expect.stringMatching(
      /^(timmy-bb: list holds another type than a plain string\n|\{"error":\{"kind":"conflict",.*\n)$/,
    ),
  };
  expect(await place.run(["wait", "list"])).toEqual(conflict);
  expect(await place.run(["get", "list", "--json"])).toEqual(conflict);
});

test("told to stop, it ends at once, silently", async () => {
  const place = Workplace.memory();
  for (const [signal, exit] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    const waiting = place.start(["wait", "k"]);
    await waiters(place, 1);
    waiting.process.kill(signal);
    expect(await ends(waiting)).toEqual({ exit, out: "", err: "" });
  }
});

test("a server that goes away while it is waited", async () => {
  await using own = await RedisServer.start({ appendonly: true });
  const place = Workplace.redis(own);
  const waiting = [place.start(["wait", "k"]), place.start(["wait", "k", "--wait", "2s"])];
  await waiters(place, 2);
  await own.kill();
  const { exit, out, err } = await ends(waiting[1] as Started);
  expect({ exit, out }).toEqual({ exit: 3, out: "" });
  expect(err).toMatch(/^timmy-bb: redis is away .*\ntimmy-bb: timed out after 2s\n$/);
  await own.restart();
  await place.ask("set", "k", "1");
  const { out: value, err: told } = await ends(waiting[0] as Started);
  expect(value).toBe("1\n");
  expect(told).toMatch(/^timmy-bb: redis is away /);
});

test("what cannot go together is refused", async () => {
  const place = Workplace.memory();
  const refusals: ReadonlyArray<readonly [string[], string]> = [
    [[], "give the keys to wait for, or --channel"],
    [["k", "--value", "1", "--absent"], "--value and --absent cannot go together"],
    [["k", "--value", "1", "--value-file", "f"], "--value and --value-file cannot go together"],
    [["k", "--any", "--all"], "--any and --all cannot go together"],
    [["k", "--since", "1h"], "--since needs --changed or --channel"],
    [["k", "--channel", "c"], "--channel goes without keys"],
    [["--channel", "c", "--changed"], "--changed and --channel cannot go together"],
    [["--channel", "c", "--any"], "--any and --channel cannot go together"],
    [["k", "--value-file", "nowhere"], "cannot read nowhere: "],
    [["k", "--wait", "soon"], '--wait: "soon" is not a duration'],
    [[""], "the key is empty"],
  ];
  for (const [words, message] of refusals) {
    const { exit, out, err } = await place.run(["wait", ...words]);
    expect({ words, exit, out }).toEqual({ words, exit: 2, out: "" });
    expect(err.startsWith(`timmy-bb: ${message}`)).toBe(true);
  }
});
