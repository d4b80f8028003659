/** `batch`: commands in, replies out, in order; what is refused, how it ends, and what a lost store leaves behind. */
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

const STORES: ReadonlyArray<readonly [string, () => Workplace]> = [
  ["memory", () => Workplace.memory()],
  ["redis", () => Workplace.redis(server)],
];

interface Reply {
  readonly exit: number;
  readonly rows?: ReadonlyArray<Readonly<Record<string, unknown>>>;
  readonly error?: Readonly<Record<string, unknown>>;
}

function repliesIn(out: string): Reply[] {
  return out
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Reply);
}

/** Runs the lines; each is words, or text as it stands. */
async function runBatch(
  place: Workplace,
  lines: ReadonlyArray<string | readonly string[]>,
  ...options: string[]
) {
  const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");
  const { exitCode, stdout, stderr } = await place.ended(["batch", ...options], {
    input: Buffer.from(text, "latin1"),
  });
  return { exit: exitCode, replies: repliesIn(stdout.toString()), err: stderr };
}

const anyId = expect.stringMatching(/^\d+-\d+$/);

describe.concurrent.each(STORES)("on %s", (_name, makePlace) => {
  test("one reply a command, in order, with what --json prints; lines as in a shell, or JSON", async () => {
    const place = makePlace();
    const lines = [
      'set \'a key\' "its \\"value\\"" --no-ttl # a comment',
      "",
      ["get", "a key"],
      "  # nothing",
      ["get", "none"],
    ];
    const more = [
      "incr n 5",
      "exists n 'a key' none",
      "keys *",
      "del 'a key' none",
      "lock acquire l --no-wait --json",
      "take n",
    ];
    const { exit, replies, err } = await runBatch(place, [...lines, ...more, "take n", "history n --last 1"]);
    expect({ exit, err }).toEqual({ exit: 0, err: "" });
    const value = {
      value: 'its "value"',
      id: anyId,
      by: expect.any(String),
      at: expect.any(Number),
      ttl_ms: null,
    };
    expect(replies).toEqual([
      { exit: 0, rows: [{ key: "a key", id: anyId }] },
      { exit: 0, rows: [{ key: "a key", ...value }] },
      { exit: 1, rows: [] },
      { exit: 0, rows: [{ key: "n", value: 5 }] },
      { exit: 1, rows: [{ existing: 2, asked: 3 }] },
      { exit: 0, rows: [{ key: "a key" }, { key: "n" }] },
      { exit: 0, rows: [{ deleted: 1 }] },
      { exit: 0, rows: [expect.objectContaining({ lock: "l", token: expect.any(String) })] },
      { exit: 0, rows: [{ key: "n", ...value, value: "5" }] },
      { exit: 1, rows: [] },
      { exit: 0, rows: [expect.objectContaining({ event: "del", key: "n" })] },
    ]);
    expect(JSON.parse(await place.ask("lock", "show", "l", "--json"))).toMatchObject({
      holders: [{ fence: expect.any(Number) }],
    });
  });

  test("a conversation: each reply comes before the next command", async () => {
    const place = makePlace();
    const batch = place.start(["batch"], { input: "open" });
    for (let turn = 1; turn <= 20; turn++) {
      batch.process.stdin?.write(turn % 2 ? "incr n\n" : '["get","n"]\n');
      await until(`reply ${turn}`, () => repliesIn(batch.stdout().toString()).length === turn);
    }
    batch.process.stdin?.end("incr n"); // without a line break
    const { exitCode, stdout } = await batch.ended;
    expect({ exitCode, last: repliesIn(stdout.toString()).at(-1) }).toEqual({
      exitCode: 0,
      last: { exit: 0, rows: [{ key: "n", value: 11 }] },
    });
  });

  test("effects and answers are those of one command after the other, whatever they are", async () => {
    const [quick, slow] = [makePlace(), makePlace()];
    for (const { dir } of [quick, slow]) writeFileSync(`${dir}/file`, "from a file");
    const lines = randomProgram(1500, 20_261_123);
    const all = await runBatch(quick, lines);
    // `channels` waits for all before it, and all behind wait for it.
    const apart = await runBatch(
      slow,
      lines.flatMap((line) => [line, "channels none"]),
    );
    const one = apart.replies.filter((_, index) => index % 2 === 0);
    expect(all.replies.map(withoutTime)).toEqual(one.map(withoutTime));
    expect(new Set(one.map(({ exit }) => exit))).toEqual(new Set([0, 1, 2, 5]));
    expect(await quick.ask("keys", "--long", "--json").then(shapes)).toEqual(
      await slow.ask("keys", "--long", "--json").then(shapes),
    );
  });

  test("any bytes: in base64, as they are, or as Python writes them", async () => {
    const place = makePlace();
    const bytes = Buffer.from([0, 200, 10, 255, 128]);
    const words = (value: string) => `["set","k",${value}]`;
    const forms = [
      words(`{"base64":"${bytes.toString("base64")}"}`),
      "get k",
      words('"a\\u0000\\udcff"'),
      "get k",
      "set k 'a\xff'",
      "get k",
    ];
    const { exit, replies } = await runBatch(place, forms);
    expect(exit).toBe(0);
    const values = replies.flatMap(({ rows = [] }) => rows.flatMap((row) => row.value_base64 ?? []));
    expect(values).toEqual(
      [bytes, Buffer.from("a\0\xff", "latin1"), Buffer.from("a\xff", "latin1")].map((one) =>
        one.toString("base64"),
      ),
    );
    const wrong = [words('"\\ud800"'), words('{"base64":"?"}'), words('{"base64":"eA==","more":1}')];
    expect((await runBatch(place, wrong)).replies.map((reply) => reply.exit)).toEqual([2, 2, 2]);
  });

  test("--stop: one after the other, and nothing behind the first failure", async () => {
    const place = makePlace();
    const lines = ["get none", "set n x", "incr n", "set after 1", "set after 2"];
    const { exit, replies, err } = await runBatch(place, lines, "--stop");
    expect(replies.map((reply) => reply.exit)).toEqual([1, 0, 5]);
    expect(exit).toBe(5);
    expect(err).toMatch(
      /^timmy-bb: one of the commands failed, in line 3: .*; nothing behind line 3 was begun\n/,
    );
    expect((await place.run(["exists", "after"])).exit).toBe(1);
  });

  test("told to stop, it ends what it has begun and says so", async () => {
    const place = makePlace();
    const batch = place.start(["batch"], { input: "open" });
    batch.process.stdin?.write("set a 1\nset b 2\n");
    await until("the replies", () => countLines(batch.stdout()) === 2);
    batch.process.kill("SIGTERM");
    const { exitCode, stdout, stderr } = await batch.ended;
    expect({ exitCode, replies: countLines(stdout), stderr }).toEqual({
      exitCode: 143,
      replies: 2,
      stderr: "",
    });
  });
});

const NAMES = ["a", "b", "c:1", "c:2"];
const COMMANDS: ReadonlyArray<(key: string, n: number) => readonly string[]> = [
  (key, n) => ["set", key, String(n)],
  (key, n) => ["set", key, String(n), "--ttl", "1h"],
  (key, n) => ["set", key, String(n), "--if-absent"],
  (key, n) => ["set", key, String(n), "--if-present", "--keep-ttl"],
  (key) => ["set", key, "--file", "file"],
  (key) => ["set", key],
  (key) => ["get", key],
  (key) => ["get", key, "--default", "none"],
  (key) => ["del", key, "a"],
  (key, n) => ["del", key, "--if-value", String(n - 1)],
  (key) => ["exists", key, "b"],
  (key) => ["incr", key, "2"],
  (key) => ["expire", key, "5m"],
  (key) => ["persist", key],
  (key) => ["ttl", key],
  (key, n) => ["publish", key, String(n)],
  (key) => ["history", key, "--last", "2"],
  () => ["keys", "c:*"],
  () => ["take", "c:*"],
  () => ["clear", "c:*", "--max", "1"],
  () => ["nonsense"],
];

/** The usual ones more often, so that many are under way at once. */
function randomProgram(length: number, seed: number): Array<readonly string[]> {
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  return Array.from({ length }, (_, n) => {
    const command = COMMANDS[random(4) === 0 ? random(COMMANDS.length) : random(16)];
    return command?.(NAMES[random(NAMES.length)] ?? "", n) ?? [];
  });
}

/** What differs from run to run is a sign that it is there. */
function withoutTime(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTime);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, field]) => {
    const isTime = /^(id|at|ttl|ttl_ms|age_ms|message)$/.test(name) && field !== null;
    return [name, isTime ? typeof field : withoutTime(field)];
  });
  return Object.fromEntries(entries);
}

function shapes(out: string): unknown {
  return out
    .split("\n")
    .filter(Boolean)
    .map((line) => withoutTime(JSON.parse(line)));
}

function countLines(out: Buffer): number {
  return out.toString("latin1").split("\n").length - 1;
}

describe.concurrent("what is no part of a batch", () => {
  test("what goes on, waits, asks, reads standard input, or wants another board is refused, and the next is done", async () => {
    const place = Workplace.memory();
    const refused = [
      "subscribe c",
      "watch k",
      "wait k",
      "take k --wait 1s",
      "lock run l -- true",
      "lock acquire l",
      "batch",
      "set k",
      "set k -",
      "publish c",
      "publish c --lines",
      "get k --help",
      "--version",
      "get k --prefix other",
      "--timeout 1s get k",
    ];
    const { exit, replies } = await runBatch(
      place,
      refused.flatMap((line) => [line, "exists none"]),
    );
    const error = { kind: "usage", message: expect.any(String), hint: expect.any(String), exit: 2 };
    expect(replies).toEqual(
      refused.flatMap(() => [
        { exit: 2, error },
        { exit: 1, rows: [{ existing: 0, asked: 1 }] },
      ]),
    );
    expect(exit).toBe(2);
  });

  test("lines in which a shell would expand or run something, and such as are neither words nor JSON", async () => {
    const place = Workplace.memory();
    const lines = [
      "set k $HOME",
      'set k "$HOME"',
      "set k `id`",
      "set k a; del k",
      "get k | cat",
      "set k x > f",
      "set k ~",
      "(get k)",
      "set k 'open",
    ];
    const wrong = [
      'set k "open',
      "set k x\\",
      '["set","k",1]',
      '["set","k","x"',
      "[]",
      '{"argv":["set","k","x"]}',
      '["set","k",["x"]]',
    ];
    const { exit, replies, err } = await runBatch(place, [
      ...lines,
      ...wrong,
      "set k '$HOME' --quiet",
      "get k",
    ]);
    expect(replies.slice(0, -2).map((reply) => reply.exit)).toEqual([...lines, ...wrong].map(() => 2));
    expect(replies.at(-1)?.rows?.[0]).toMatchObject({ value: "$HOME" });
    expect(exit).toBe(2);
    expect(err).toMatch(/^timmy-bb: 16 of the commands failed, the first, in line 1: \$ without quotes: /);
  });
});

describe("many", () => {
  test("who does not read the replies stops the commands, and memory stays bounded", async () => {
    const place = Workplace.memory();
    const total = 20_000;
    writeFileSync(place.path("lines"), "incr n\n".repeat(total));
    await using board = await place.openBoard();
    const shell = place.startBash(
      "mkfifo go; { timmy-bb batch < lines & echo $! >&2; wait $!; echo $? > exit; } | { read -r x < go; cat > replies; }; cat exit; wc -l < replies",
    );
    const pid = await until("its number", () => Number(shell.stderr()));
    let before = 0;
    await until("it to be at rest", async () => {
      const now = Number((await board.getText("n")) ?? 0);
      const isAtRest = now > 0 && now === before;
      before = now;
      return isAtRest;
    });
    expect(before).toBeLessThan(total / 2);
    writeFileSync(place.path("go"), "\n");
    let mostKib = 0;
    await until("its end", async () => {
      mostKib = Math.max(mostKib, peakKib(pid) || 0); // none once it has ended
      return (await board.getText("n")) === String(total);
    });
    expect((await shell.ended).stdout.toString()).toBe(`0\n${total}\n`);
    expect(mostKib).toBeLessThan(200 * 1024);
  });

  test("nobody reads the replies any more: the commands are done all the same", async () => {
    const place = Workplace.memory();
    const { exit, out } = await place.bash(
      "seq -f 'set n:%.0f x' 3000 | timmy-bb batch | head -n 1 | cut -c 1-9; timmy-bb exists n:3000",
    );
    expect({ exit, out }).toEqual({ exit: 0, out: '{"exit":0\n1\n' });
  });

  test("the server dies in the middle: what was answered with 0 is there, and the exit is 4", async () => {
    await using own = await RedisServer.start({ appendonly: true });
    const place = Workplace.redis(own);
    const lines = Array.from({ length: 100_000 }, (_, n) => `set n:${n} ${n} --no-ttl\n`).join("");
    const batch = place.start(["batch"], { input: Buffer.from(lines) });
    await until("some replies", () => batch.stdout().length > 50_000);
    await own.kill();
    const { exitCode, stdout, stderr } = await batch.ended;
    const exits = repliesIn(stdout.toString()).map(({ exit }) => exit);
    const done = exits.indexOf(4);
    expect({ exitCode, exits: [...new Set(exits)], isSorted: exits.lastIndexOf(0) < done }).toEqual({
      exitCode: 4,
      exits: [0, 4],
      isSorted: true,
    });
    expect(stderr).toMatch(
      /^timmy-bb: .* of the commands failed, the first, in line \d+: .*; nothing behind line \d+ was begun\n/,
    );
    await own.restart();
    const there = new Set((await place.ask("keys", "n:*")).split("\n"));
    expect(exits.slice(0, done).filter((_, n) => !there.has(`n:${n}`))).toEqual([]);
    expect(there.size - 1).toBeLessThanOrEqual(exits.length);
  });
});

/** Linux's own count of the most memory a process had. */
function peakKib(pid: number): number {
  try {
    return Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch {
    return 0; // it has ended
  }
}
