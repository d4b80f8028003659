/** `watch`: changes of keys as lines, as objects and as commands' input; from what is there, from the log, as a consumer. */
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { onTerminal } from "../helpers/pty.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { done, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

type Env = Record<string, string>;
const STORES: ReadonlyArray<readonly [string, (env?: Env) => Workplace]> = [
  ["memory", (env) => Workplace.memory(env)],
  ["redis", (env) => Workplace.redis(server, env)],
];

/** Sets keys, in order, and returns the ids. */
async function setAll(place: Workplace, ...pairs: [string, string | Uint8Array][]): Promise<string[]> {
  await using board = await place.openBoard({ agent: "ada" });
  const ids: string[] = [];
  for (const [key, value] of pairs) {
    const result = await board.set(key, value);
    ids.push(result.written ? result.id : "");
  }
  return ids;
}

describe.concurrent.each(STORES)("on %s", (_name, makePlace) => {
  test("by default the next change, then the end; a pattern, and another key does not count", async () => {
    const place = makePlace();
    const watching = place.start(["watch", "task:*", "--wait", "20s"]);
    {
      await using board = await place.openBoard();
      const isOver = async () => {
        await board.set("other", "x");
        await board.set("task:1", "open");
        return watching.process.exitCode !== null;
      };
      await until("its end", isOver);
    }
    const { exitCode, stdout, stderr } = await watching.ended;
    expect({ exitCode, out: stdout.toString(), stderr }).toEqual({
      exitCode: 0,
      out: "set\ttask:1\topen\n",
      stderr: "",
    });
    expect(await place.run(["watch", "task:*", "--wait", "200ms"])).toEqual({
      exit: 3,
      out: "",
      err: "timmy-bb: timed out after 200ms\n",
    });
  });
});

// What the stores do differently, the conformance suite proves on both: these are of what the command says.
describe.concurrent("on one store", () => {
  const makePlace = (env?: Env) => Workplace.memory(env);

  test("set, del and expired, one line each, and as objects; from the log, then live", async () => {
    const place = makePlace();
    const watching = ["--json", ""].map((form) =>
      place.start(["watch", "*", "--since", "1h", "-n", "6", ...(form === "" ? [] : [form])]),
    );
    const bytes = Buffer.from([0xff, 0x09, 0x00]);
    const ids = await setAll(place, ["lines", "a\nb\rc\td"], ["empty", ""], ["bytes", bytes]);
    await place.ask("del", "lines", "--agent", "ben");
    await place.ask("set", "empty", "", "--ttl", "100ms", "--agent", "ben");
    const [rows, plain] = await Promise.all(watching.map(({ ended }) => ended));
    expect(plain?.stdout).toEqual(
      Buffer.concat([
        Buffer.from("set\tlines\ta\\nb\\rc\td\nset\tempty\t\nset\tbytes\t"),
        bytes,
        Buffer.from("\ndel\tlines\nset\tempty\t\nexpired\tempty\n"),
      ]),
    );
    const [first, , third, fourth, , sixth] = rowsOf(rows?.stdout.toString() ?? "");
    const by = { by: "ada", at: Number(ids[0]?.split("-")[0]) };
    expect(Object.keys(first ?? {})).toEqual(["event", "key", "value", "size", "id", "by", "at"]);
    expect(first).toEqual({ event: "set", key: "lines", value: "a\nb\rc\td", size: 7, id: ids[0], ...by });
    expect(third).toMatchObject({ key: "bytes", value_base64: bytes.toString("base64"), size: 3 });
    expect(third).not.toHaveProperty("value");
    expect(fourth).toMatchObject({ event: "del", key: "lines", value: null, size: null, by: "ben" });
    expect(sixth).toMatchObject({ event: "expired", key: "empty", value: null, size: null, by: null });
    expect(await place.ask("watch", "empty", "--last", "1")).toBe("expired\tempty\n");
  });

  test("a value over 64 KiB is fetched; one that is gone leaves an empty cell, and null", async () => {
    const place = makePlace();
    const large = "x".repeat(70_000);
    await setAll(place, ["k", large]);
    expect(await place.ask("watch", "k", "--last", "1")).toBe(`set\tk\t${large}\n`);
    await setAll(place, ["k", "small"]);
    expect(await place.ask("watch", "k", "--last", "2")).toBe("set\tk\t\nset\tk\tsmall\n");
    const [row] = rowsOf(await place.ask("watch", "k", "--last", "2", "--json"));
    expect(row).toMatchObject({ event: "set", key: "k", value: null });
  });

  test("--initial alone prints what is there and ends; it says so in JSON", async () => {
    const place = makePlace();
    const [, id] = await setAll(place, ["gone", "0"], ["a", "1"], ["b", "2"], ["c", "3"]);
    await place.ask("del", "gone");
    const out = await place.ask("watch", "[ab]", "b", "--initial");
    expect(out.split("\n").sort()).toEqual(["", "set\ta\t1", "set\tb\t2"]);
    const [row] = rowsOf(await place.ask("watch", "a", "--initial", "--json"));
    expect(row).toMatchObject({ event: "set", key: "a", value: "1", id, by: "ada", initial: true });
    expect(await place.run(["watch", "nothing*", "--initial"])).toEqual(done());
  });

  test("--initial, then what changes: without a gap and without a repetition, while a writer writes", async () => {
    const place = makePlace();
    await using board = await place.openBoard();
    const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
    const written = new Map<string, number>();
    const write = async (key: string) => {
      const next = (written.get(key) ?? 0) + 1;
      await board.set(key, String(next));
      written.set(key, next);
    };
    for (const key of keys) await write(key);
    const watching = place.start(["watch", "k*", "--initial", "--follow"]);
    let rounds = 0;
    await until("what changed after it began", async () => {
      for (const key of keys) await write(key);
      return watching.stdout().length > 0 && ++rounds > 10;
    });
    await board.set("k0", "end");
    await until("the end", () => watching.stdout().includes("\tk0\tend\n"));
    watching.process.kill("SIGTERM");
    const { exitCode, stdout, stderr } = await watching.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 143, stderr: "" });
    const lines = stdout.toString().trimEnd().split("\n").slice(0, -1);
    for (const key of keys) {
      const mine = lines.map((line) => line.split("\t")).filter((cells) => cells[1] === key);
      const values = mine.map((cells) => Number(cells[2]));
      const [first = 0] = values;
      const last = written.get(key) ?? 0;
      expect(values).toEqual(Array.from({ length: last - first + 1 }, (_, n) => first + n));
    }
  });

  test("a consumer goes on where the last call stopped; what it gives up goes to KEY:failed", async () => {
    const place = makePlace();
    const [, second] = await setAll(place, ["k", "1"], ["k", "2"], ["other", "3"]);
    await place.ask("del", "k");
    const read = (...more: string[]) => place.run(["watch", "k", "--consumer", "r", ...more]);
    expect(await read()).toEqual(done("set\tk\t1\n"));
    expect(await read("--retries", "0", "--", "sh", "-c", "cat; exit 4")).toEqual({
      exit: 4,
      out: "2",
      err: `timmy-bb: sh exited 4 (k ${second}); it has gone to k:failed\n`,
    });
    const [failed] = rowsOf(await place.ask("subscribe", "k:failed", "--last", "1", "--json"));
    expect(failed).toMatchObject({
      channel: "k:failed",
      payload: "2",
      failure: {
        key: "k",
        event: "set",
        id: second,
        by: "ada",
        consumer: "r",
        attempts: 1,
        reason: "exited 4",
      },
    });
    expect(failed?.failure).not.toHaveProperty("channel");
    expect(await read("--json", "--wait", "10s")).toMatchObject({
      exit: 0,
      out: expect.stringContaining('"event":"del"'),
    });
    expect(await place.ask("consumers", "show", "r")).toMatch(/^changes\t-\t\d+-\d+\t0\t0\n$/);
    const [shown] = rowsOf(await place.ask("consumers", "show", "r", "--json"));
    expect(shown).toMatchObject({ channels: [{ channel: null, pending: 0, lag: 0 }] });
    expect(await place.run(["subscribe", "k", "--consumer", "r"])).toMatchObject({ exit: 5, out: "" });
  });

  test("what retention dropped is told: in its place in JSON, on stderr else", async () => {
    const place = makePlace({ TIMMY_BB_HISTORY_CHANGES: "2" });
    const sent = await place.bash("for n in 0 1 2 3 4; do timmy-bb set k $n --json; done");
    const ids = rowsOf(sent.out).map(({ id }) => String(id));
    const since = ["watch", "k", "--since", ids[0] ?? ""];
    const rows = rowsOf(await place.ask(...since, "--json"));
    expect(rows.map((row) => row.gap ?? row.value)).toEqual([{ after: ids[0], next: ids[3] }, "3", "4"]);
    expect(await place.run(since)).toEqual({
      exit: 0,
      out: "set\tk\t3\nset\tk\t4\n",
      err: `timmy-bb: changes after ${ids[0]} were dropped by retention; going on at ${ids[3]}\n`,
    });
  });
});

describe.concurrent("a command for each change", () => {
  test("the value on its standard input, the rest in its environment, nothing of a message", async () => {
    const place = Workplace.memory();
    const bytes = Buffer.from([0, 255, 10]);
    const [id = ""] = await setAll(place, ["k", bytes]);
    await place.ask("del", "k", "--agent", "ada");
    const env = {
      TIMMY_BB_ATTEMPT: "inherited",
      TIMMY_BB_CHANNEL: "inherited",
      TIMMY_BB_FAILURE_REASON: "inherited",
    };
    const replay = (...command: string[]) => ["watch", "k", "--since", "1h", "--", ...command];
    expect((await place.ended(replay("cat"))).stdout).toEqual(bytes);
    const { out } = await place.run(replay("sh", "-c", "env | grep ^TIMMY_BB_ | sort; echo"), { env });
    const [set, del] = out.split("\n\n").map((text) => text.split("\n"));
    expect(set).toEqual([
      `TIMMY_BB_AT=${id.split("-")[0]}`,
      "TIMMY_BB_BACKEND=memory",
      "TIMMY_BB_BY=ada",
      "TIMMY_BB_EVENT=set",
      `TIMMY_BB_ID=${id}`,
      "TIMMY_BB_KEY=k",
      "TIMMY_BB_SIZE=3",
    ]);
    expect(del).toContain("TIMMY_BB_EVENT=del");
    expect(del).toContain("TIMMY_BB_SIZE=");
    await place.ask("publish", "c", "m");
    const names = ["EVENT", "KEY", "SIZE", "INITIAL"].map((name) => `TIMMY_BB_${name}`);
    const inherited = Object.fromEntries(names.map((name) => [name, "inherited"]));
    const message = await place.run(["subscribe", "c", "--last", "1", "--", "env"], { env: inherited });
    expect(message.out).not.toContain("inherited");
    expect(message.err).toBe(""); // a command that calls timmy-bb itself has them, and hears no word of them
    await place.ask("set", "there", "x");
    const initial = ["watch", "there", "--initial", "--", "printenv", "TIMMY_BB_INITIAL"];
    expect(await place.run(initial)).toEqual(done("1\n"));
    const attempt = ["watch", "k", "--consumer", "w", "--", "printenv", "TIMMY_BB_ATTEMPT"];
    expect(await place.run(attempt)).toEqual(done("1\n"));
  });

  test("--on-busy coalesce: of each key the newest waits", async () => {
    const place = Workplace.memory();
    await setAll(place, ["a", "1"], ["b", "1"], ["a", "2"], ["b", "2"], ["a", "3"]);
    // Longer than it takes to read what is there.
    const slow = 'printf "%s=%s " "$TIMMY_BB_KEY" "$(cat)"; sleep 0.5';
    const words = ["watch", "*", "--last", "5", "--on-busy", "coalesce", "--", "sh", "-c", slow];
    const err = "timmy-bb: 2 changes were dropped while sh was busy\n";
    expect(await place.run(words)).toEqual({ exit: 0, out: "a=1 b=2 a=3 ", err });
  });
});

describe.concurrent("as a good citizen", () => {
  test("a closed pipe is 0 and silent; an almost empty environment is enough", async () => {
    const place = Workplace.memory();
    await setAll(place, ...Array.from({ length: 500 }, (_, n): [string, string] => ["k", `${n}`]));
    const script = `
      set -euo pipefail
      timmy-bb watch k --since 1h | head -1 || echo "$?"
      env -i PATH="$PATH" TIMMY_BB_DATA_DIR=.local/state/timmy-bb TIMMY_BB_BACKEND=memory timmy-bb watch k --last 1
    `;
    expect(await place.bash(script)).toEqual(done("set\tk\t0\nset\tk\t499\n"));
  });

  test("stored text is shown on a terminal, not obeyed", async () => {
    const place = Workplace.memory();
    await setAll(place, ["k", "\u001b]0;owned\u0007\u009b2J\nnext"]);
    const shown = "^[]0;owned^G\\u009b2J";
    const calls = "timmy-bb watch k --initial; timmy-bb wait k; timmy-bb wait k --any --raw | cat";
    const { screen } = await onTerminal(place, calls);
    expect(screen.split("\n").slice(0, 3)).toEqual([`set\tk\t${shown}\\nnext`, shown, "next"]);
  });

  test("what cannot go together is refused", async () => {
    const place = Workplace.memory();
    const refusals: ReadonlyArray<readonly [string[], string]> = [
      [["--initial", "--last", "1"], "--last and --initial cannot go together"],
      [["--initial", "--since", "1h"], "--since and --initial cannot go together"],
      [["--initial", "--consumer", "c"], "--consumer and --initial cannot go together"],
      [["--raw"], "there is no option --raw"],
    ];
    for (const [words, message] of refusals) {
      const { exit, out, err } = await place.run(["watch", "k", ...words]);
      expect({ words, exit, out, err: err.split("\n")[0] }).toEqual({
        words,
        exit: 2,
        out: "",
        err: `timmy-bb: ${message}`,
      });
    }
    expect((await place.run(["watch", ""])).err).toMatch(/^timmy-bb: the (key|pattern) is empty\n/);
  });
});

test("other clients' changes: seen where the server tells of them, else it is said once", async () => {
  await using deaf = await RedisServer.start({ settings: ["--notify-keyspace-events", ""] });
  for (const [own, tells] of [
    [server, true],
    [deaf, false],
  ] as const) {
    const place = Workplace.redis(own);
    const watching = place.start(["watch", "*", "--since", "1h", "--follow"]);
    const told = "timmy-bb: redis does not tell of other clients' changes (";
    if (!tells) await until("the notice", () => watching.stderr().includes(told));
    await until("its begin", async () => {
      await own.cli("set", `${place.prefix}:theirs`, "foreign");
      await setAll(place, ["ours", "x"]);
      const out = watching.stdout().toString();
      return out.includes("set\tours\tx\n") && (!tells || out.includes("set\ttheirs\tforeign\n"));
    });
    watching.process.kill("SIGTERM");
    const { stdout, stderr } = await watching.ended;
    expect(stdout.includes("theirs")).toBe(tells);
    expect(stderr).toMatch(
      tells ? /^$/ : /^timmy-bb: redis does not tell .*: only those made through timmy-bb are seen\n$/,
    );
  }
});

test("a server that was away: what changed meanwhile is seen, and counted as changes", async () => {
  await using own = await RedisServer.start({ appendonly: true });
  const place = Workplace.redis(own);
  const watching = place.start(["watch", "k", "--since", "1h", "-n", "2"]);
  await setAll(place, ["k", "1"]);
  await until("the first", () => watching.stdout().length > 0);
  await own.restart();
  await until("the store", () => setAll(place, ["k", "2"]).catch(() => false));
  const { stdout, stderr } = await watching.ended;
  expect(stdout.toString()).toBe("set\tk\t1\nset\tk\t2\n");
  expect(stderr).toMatch(
    /^timmy-bb: redis is away .*\n(timmy-bb: reconnected after \d+\.\ds, (0 changes|1 change) recovered\n)?$/,
  );
});

test("--wait over before the follower is ready is a timeout, too", async () => {
  const place = Workplace.redis(server);
  for (const wait of ["1ms", "15ms", "40ms"]) {
    const late = { exit: 3, out: "", err: `timmy-bb: timed out after ${wait}\n` };
    expect(await place.run(["watch", "k", "--wait", wait])).toEqual(late);
    expect(await place.run(["subscribe", "c", "--wait", wait])).toEqual(late);
  }
});

function rowsOf(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}
