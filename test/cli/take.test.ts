/** `take`: what it prints, when it ends how, and that what was taken is not lost on the way out. */
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { untilIdle } from "../helpers/idle.ts";
import { onTerminal } from "../helpers/pty.ts";
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

/** Resolves when so many wait. */
async function waiters(place: Workplace, count: number): Promise<void> {
  await using board = await place.openBoard();
  const followers = async () =>
    (await board.status()).stores.reduce((sum, store) => sum + store.followers, 0);
  await until("those who wait", async () => (await followers()) === count);
}

describe.concurrent.each(STORES)("on %s", (_name, makePlace) => {
  test("a work queue in two words: each to one of several workers, waited for, nothing left over", async () => {
    const place = makePlace();
    const worker =
      "while task=$(timmy-bb take 'tasks:*' --wait 10s); do echo $task; test $task = stop && break; done";
    const workers = [place.startBash(worker), place.startBash(worker)];
    await waiters(place, 2);
    await using board = await place.openBoard();
    const work = Array.from({ length: 10 }, (_, n) => `job-${n}`);
    for (const [n, task] of [...work, "stop", "stop"].entries())
      await board.set(`tasks:${String(n).padStart(2, "0")}`, task);
    const ends = (await Promise.all(workers.map(({ ended }) => ended))).map(said);
    expect(ends.map(({ exit, err }) => [exit, err])).toEqual([
      [0, ""],
      [0, ""],
    ]);
    const lines = ends.map(({ out }) => out.trimEnd().split("\n"));
    expect(lines.map((own) => own.at(-1))).toEqual(["stop", "stop"]);
    for (const own of lines) expect(own).toEqual([...own].sort());
    expect(lines.flatMap((own) => own.slice(0, -1)).sort()).toEqual(work);
    expect(await board.exists("tasks:00")).toBe(0);
  });

  test("told to stop while it waits: at once, silently, and the follower is gone", async () => {
    const place = makePlace();
    for (const [signal, exit] of [
      ["SIGTERM", 143],
      ["SIGINT", 130],
    ] as const) {
      const waiting = place.start(["take", "k", "--wait", "1h"]);
      await waiters(place, 1);
      waiting.process.kill(signal);
      expect(said(await waiting.ended)).toEqual({ exit, out: "", err: "" });
      await waiters(place, 0);
    }
  });
});

// What the stores do, the conformance suite proves on both: these are of what the command says.
describe.concurrent("on one store", () => {
  const makePlace = () => Workplace.memory();

  test("printed as get prints it; --raw, --json with the key", async () => {
    const place = makePlace();
    const put = "printf 'a\\nb' | timmy-bb set q:1 --agent ada --no-ttl";
    await place.bash(put);
    expect(await place.run(["take", "q:*"], { input: "open" })).toEqual(done("a\nb\n"));
    await place.bash(put);
    expect(await place.run(["take", "q:1", "--raw"])).toEqual(done("a\nb"));
    await place.bash(put);
    const got = await place.ask("get", "q:1", "--json");
    expect(await place.run(["take", "q:*", "--json"])).toEqual(done(got));
    expect(JSON.parse(got)).toMatchObject({ key: "q:1", value: "a\nb", by: "ada", ttl_ms: null });
    expect(await place.run(["take", "q:*", "--json"])).toEqual({ exit: 1, out: "", err: "" });
  });

  test("an empty value is a value; on a terminal nothing is obeyed", async () => {
    const place = makePlace();
    await place.bash("timmy-bb set a ''; printf '\\033[31mred' | timmy-bb set b");
    expect(await place.run(["take", "a", "b"])).toEqual(done("\n"));
    expect(await onTerminal(place, "timmy-bb take a b")).toEqual({ exit: 0, screen: "^[[31mred\n" });
  });

  test("of several patterns and names together, the oldest; waiting for any of them", async () => {
    const place = makePlace();
    await place.bash("timmy-bb set low:1 first; timmy-bb set high:1 second; timmy-bb set other x");
    expect(await place.ask("take", "high:*", "low:1")).toBe("first\n");
    expect(await place.ask("take", "low:1", "high:*")).toBe("second\n");
    const waiting = place.start(["take", "high:*", "low:1", "--wait", "20s"]);
    await waiters(place, 1);
    await place.ask("set", "low:1", "third");
    expect(said(await waiting.ended)).toEqual(done("third\n"));
    expect(await place.ask("keys")).toBe("other\n");
  });

  test("none came: exit 3; --wait 0 looks once; errors as JSON", async () => {
    const place = makePlace();
    expect(await place.run(["take", "q:*", "--wait", "200ms"])).toEqual(late("200ms"));
    expect(await place.run(["take", "q:*", "--wait", "0"])).toEqual(late("0s"));
    const { exit, out, err } = await place.run(["take", "q:*", "--wait", "0ms", "--json"]);
    expect([exit, out]).toEqual([3, ""]);
    expect(JSON.parse(err)).toEqual({
      error: { kind: "timeout", message: "timed out after 0s", hint: null, exit: 3 },
    });
  });

  test("nobody who could read it: refused before, told after; the log has it", async () => {
    const place = makePlace();
    await place.ask("set", "q:1", "v");
    const closed = await place.bash("timmy-bb take 'q:*' >&-; echo $? >&2");
    expect(closed.err).toMatch(/^timmy-bb: standard output is closed or nothing, .*\nhint: .*\n2\n$/);
    expect(await place.ask("get", "q:1")).toBe("v\n");
    // Its reader is gone before it is written: the taker begins to wait, and is given its key, after that.
    const reader =
      "(exec </dev/null; until timmy-bb status | grep -q followers.1; do :; done; timmy-bb set q:2 lost)";
    const gone = await place.bash(`timmy-bb take q:2 --wait 20s | ${reader}; echo "$PIPESTATUS"`);
    expect(gone).toEqual({
      exit: 0,
      out: "0\n",
      err: "timmy-bb: q:2 was taken and could not be printed; timmy-bb history may still have its value\n",
    });
    expect((await place.ask("history", "q:2")).split(/\t|\n/)).toContain("lost");
  });

  test("a value that needs no follower, under set -euo pipefail in an almost empty environment", async () => {
    const place = makePlace();
    const env = Object.entries(place.env).map(([name, value]) => `${name}=${value}`);
    const script = `
      set -euo pipefail
      timmy-bb set 'tasks:1' 'one'
      task=$(env -i PATH="$PATH" HOME="$HOME" ${env.join(" ")} timmy-bb take 'tasks:*' --wait 20s)
      echo "$task"
      timmy-bb take 'tasks:*' || echo "none: $?"
    `;
    expect(await place.bash(script)).toEqual(done("one\nnone: 1\n"));
  });

  test("what makes no sense is refused", async () => {
    const place = makePlace();
    const refusals: ReadonlyArray<readonly [string[], string]> = [
      [[], "missing: patterns"],
      [[""], "the key is empty"],
      [["k", "--wait", "soon"], '--wait: "soon" is not a duration'],
    ];
    for (const [words, message] of refusals) {
      const { exit, out, err } = await place.run(["take", ...words]);
      expect({ words, exit, out }).toEqual({ words, exit: 2, out: "" });
      expect(err.startsWith(`timmy-bb: ${message}`), err).toBe(true);
    }
  });
});

describe("a take that is under way", () => {
  test("told to stop meanwhile, it is brought to its end: what was taken is printed", async () => {
    await using own = await RedisServer.start();
    const place = Workplace.redis(own);
    await place.ask("set", "k", "v");
    await own.cli("client", "pause", "30000", "write");
    const taker = place.start(["take", "k"]);
    await until("the take", async () => /blocked_clients:[1-9]/.test(await own.cli("info", "clients")));
    taker.process.kill("SIGTERM");
    await untilIdle(taker.pid);
    await own.cli("client", "unpause");
    expect(said(await taker.ended)).toEqual({ exit: 143, out: "v\n", err: "" });
    expect(await place.run(["get", "k"])).toEqual({ exit: 1, out: "", err: "" });
  });

  test("no answer came: it may have taken something, and that is said", async () => {
    await using own = await RedisServer.start();
    const place = Workplace.redis(own);
    await place.ask("set", "k", "v");
    await own.cli("client", "pause", "30000", "write");
    const { exit, out, err } = await place.run(["take", "k", "--wait", "20s", "--timeout", "2s"]);
    await own.cli("client", "unpause");
    expect([exit, out]).toEqual([4, ""]);
    expect(err).toMatch(
      /^timmy-bb: .* was told and did not answer .*\nhint: it may or may not have happened/,
    );
  });
});
