/** Standard input and output as scripts have them: closed, empty, full, cut off, large, and one line at a time. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { onTerminal, Terminal } from "../helpers/pty.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { done, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

const MEBIBYTE = 1_048_576;

describe.concurrent("standard input", () => {
  test("closed: refused, not an empty value", async () => {
    const place = Workplace.memory();
    const refusal = {
      exit: 2,
      out: "",
      err: "timmy-bb: standard input is closed or nothing, so there is no value\nhint: give it as an argument or --file; an empty value is ''\n",
    };
    expect(await place.bash("timmy-bb set k <&-")).toEqual(refusal);
    expect(await place.bash("timmy-bb set k - <&-")).toEqual(refusal);
    expect((await place.bash("timmy-bb publish c --lines <&-")).exit).toBe(2);
    expect(await place.run(["exists", "k"])).toEqual({ exit: 1, out: "0\n", err: "" });
    expect(await place.bash("timmy-bb set k v <&- && timmy-bb get k <&-")).toEqual(done("v\n"));
  });

  test("that cannot be read: refused, and the present value stays", async () => {
    const place = Workplace.memory();
    await place.ask("set", "k", "keep");
    const directory = await place.bash("timmy-bb set k < .");
    expect(directory).toEqual({ exit: 2, out: "", err: "timmy-bb: standard input is a directory\n" });
    const writeOnly = await place.bash("timmy-bb set k 0> written");
    expect([writeOnly.exit, writeOnly.out]).toEqual([2, ""]);
    expect(writeOnly.err).toMatch(/^timmy-bb: cannot read standard input: EBADF/);
    expect(await place.ask("get", "k")).toBe("keep\n");
  });

  test("without end: given up at the limit of a value", async () => {
    const place = Workplace.memory();
    // Half a GiB can take a busy machine over the default 5 s, after which a notice is due.
    const { exit, err } = await place.bash("timmy-bb set k --timeout 1m < /dev/zero");
    expect([exit, err]).toEqual([
      2,
      "timmy-bb: standard input is over 536870912 bytes, the limit of a value\n",
    ]);
  });

  test("empty: an empty value", async () => {
    const place = Workplace.memory();
    expect(await place.bash("timmy-bb set k </dev/null && timmy-bb get k --raw")).toEqual(done());
    expect(await place.bash("printf '' | timmy-bb set l && timmy-bb get l")).toEqual(done("\n"));
  });

  test("not read when the value is given, and never by get", async () => {
    const place = Workplace.memory();
    expect(await place.run(["set", "k", "v"], { input: "open" })).toEqual(done());
    expect(await place.run(["get", "k"], { input: "open" })).toEqual(done("v\n"));
  });

  test("- and no value mean the same: exact bytes, nothing trimmed", async () => {
    const place = Workplace.memory();
    const input = Buffer.from([0, 1, 255, 254, 13, 10, 32, 10, 10]);
    await place.ended(["set", "dash", "-"], { input });
    await place.ended(["set", "none"], { input });
    for (const key of ["dash", "none"]) {
      const { stdout } = await place.ended(["get", key, "--raw"]);
      expect(stdout).toEqual(input);
      expect((await place.ended(["get", key])).stdout).toEqual(Buffer.concat([input, Buffer.from("\n")]));
    }
  });

  test("a terminal and no value: refused at once instead of waiting for ever", async () => {
    const { exit, screen } = await onTerminal(Workplace.memory(), "timmy-bb set k", { NO_COLOR: "1" });
    expect({ exit, screen }).toEqual({
      exit: 2,
      screen: "timmy-bb: no value given\nhint: give one, or --file, or pipe it in; - reads what you type\n",
    });
  });

  test("a terminal and -: what is typed, to Ctrl-D", async () => {
    const place = Workplace.memory();
    const terminal = new Terminal(place, "echo go; timmy-bb set k -");
    await terminal.type("typed\n\x04", "go");
    expect((await terminal.end()).exit).toBe(0);
    expect(await place.run(["get", "k", "--raw"])).toEqual(done("typed\n"));
  });
});

describe.concurrent("--file", () => {
  test("takes the file's bytes", async () => {
    const place = Workplace.memory();
    writeFileSync(place.path("f"), Buffer.from([0, 200, 10]));
    expect(await place.run(["set", "k", "--file", "f"])).toEqual(done());
    expect((await place.ended(["get", "k", "--raw"])).stdout).toEqual(Buffer.from([0, 200, 10]));
  });

  test("missing, a directory, unreadable, or beside a value: refused, nothing written", async () => {
    const place = Workplace.memory();
    mkdirSync(place.path("d"));
    writeFileSync(place.path("locked"), "x");
    chmodSync(place.path("locked"), 0);
    const wrong: ReadonlyArray<readonly [string[], RegExp]> = [
      [["--file", "gone"], /^timmy-bb: cannot read gone: ENOENT/],
      [["--file", "d"], /^timmy-bb: cannot read d: EISDIR/],
      [["--file", "locked", "v"], /^timmy-bb: give a value or --file, not both\n$/],
      [["--file", "gone", "-"], /^timmy-bb: give a value or --file, not both\n$/],
    ];
    for (const [args, err] of wrong) {
      expect(await place.run(["set", "k", ...args])).toEqual({
        exit: 2,
        out: "",
        err: expect.stringMatching(err),
      });
    }
    expect((await place.run(["exists", "k"])).exit).toBe(1);
  });

  test("unreadable: refused", async () => {
    const place = Workplace.memory();
    // Root may read whatever the mode says, but not this one.
    const { exit, out, err } = await place.run(["set", "k", "--file", "/proc/self/mem"]);
    expect({ exit, out, err }).toEqual({
      exit: 2,
      out: "",
      err: expect.stringMatching(/^timmy-bb: cannot read/),
    });
  });
});

describe.concurrent("standard output", () => {
  test("a full device is an error, never a success", async () => {
    const place = Workplace.memory();
    await place.ask("set", "k", "v");
    for (const command of ["get k", "keys", "status", "--help", "--version"]) {
      const { exit, err } = await place.bash(`timmy-bb ${command} > /dev/full`);
      expect({ command, exit, err }).toEqual({
        command,
        exit: 4,
        err: expect.stringMatching(/^timmy-bb: cannot write the output: ENOSPC/),
      });
    }
    expect((await place.bash("timmy-bb get k >/dev/full 2>/dev/full")).exit).toBe(4);
  });

  test("closed: a worker that prints takes nothing; whoever has nothing to keep is not hindered", async () => {
    const place = Workplace.memory();
    await place.ask("publish", "c", "1");
    expect(await place.bash("timmy-bb subscribe c --consumer w >&-")).toEqual({
      exit: 2,
      out: "",
      err: expect.stringMatching(
        /^timmy-bb: standard output is closed or nothing, .*\nhint: .*> \/dev\/null.*\n$/,
      ),
    });
    const others = "timmy-bb set k v >&- && timmy-bb subscribe c --last 1 >&-";
    const handled = "timmy-bb subscribe c --consumer w -- sh -c 'cat > got' >&- && cat got";
    expect(await place.bash(`${others} && ${handled}`)).toEqual(done("1"));
    await place.ask("publish", "c", "2");
    expect(await place.bash("timmy-bb subscribe c --consumer w > /dev/null")).toEqual(done());
    await place.ask("publish", "c", "3");
    expect(await place.ask("subscribe", "c", "--consumer", "w")).toBe("3\n");
  });

  test("a closed stderr is nobody's concern", async () => {
    const place = Workplace.memory();
    expect(
      await place.bash("timmy-bb set k v 2>&- && timmy-bb get k 2>&-; timmy-bb get '' 2>&-; echo $?"),
    ).toEqual(done("v\n2\n"));
  });
});

describe.concurrent("a pipe that nobody reads", () => {
  // It is open for reading, so writing does not fail; whoever writes has to wait, and must still be possible to stop.
  test.each([
    ["stdout", "1", "get big"],
    ["stderr", "2", "get k --backend redis --url unix:///nowhere"],
  ])("as %s: what waits for it ends at a signal", async (_, descriptor, call) => {
    const place = Workplace.memory();
    const set = await place.run(["set", "big"], { input: Buffer.alloc(MEBIBYTE, "x") });
    expect(set.exit).toBe(0);
    const script = `mkfifo full; exec 3<>full; head -c 65536 /dev/zero >&3
      timmy-bb ${call} ${descriptor}>&3 & pid=$!
      until [ $(ls -l /proc/$pid/fd | grep -c /full$) -gt 2 ]; do :; done # it has opened it for itself, beside what it inherited
      kill -TERM $pid; wait $pid; echo $?`;
    expect(await place.bash(script)).toMatchObject({ out: "143\n" });
  });
});

const STORES: ReadonlyArray<readonly [string, () => Workplace]> = [
  ["memory", () => Workplace.memory()],
  ["redis", () => Workplace.redis(server)],
];

describe.concurrent.each(STORES)("on %s", (_name, makePlace) => {
  test("5 MiB through pipes, both ways, byte for byte", async () => {
    const place = makePlace();
    const bytes = Buffer.alloc(5 * MEBIBYTE, Buffer.from(Array.from({ length: 997 }, (_, n) => n % 256)));
    writeFileSync(place.path("in"), bytes);
    const script = "cat in | timmy-bb set k && timmy-bb get k --raw | cat > out && timmy-bb get k | wc -c";
    expect(await place.bash(script)).toEqual(done(`${bytes.length + 1}\n`));
    expect(readFileSync(place.path("out")).equals(bytes)).toBe(true);
  });

  test("a slow reader gets all of a large value", async () => {
    const place = makePlace();
    await place.ended(["set", "k"], { input: Buffer.alloc(MEBIBYTE, "x") });
    // dd reads a little at a time: the pipe is full all along.
    const script = "timmy-bb get k --raw | dd bs=512 status=none | wc -c";
    expect(await place.bash(script)).toEqual(done(`${MEBIBYTE}\n`));
  });

  test("publish --lines sends each line as it comes, and answers it at once", async () => {
    const place = makePlace();
    const follower = place.start(["subscribe", "log", "--count", "3", "--json"]);
    const publisher = place.start(["publish", "log", "--lines"], { input: "open" });
    const { stdin } = publisher.process;
    // Lines from before the follower was there reach nobody, and their answer says so.
    let sent = 0;
    await until(
      "a line that is heard, while stdin is open",
      () => {
        const answers = publisher.stdout().toString().trimEnd().split("\n").filter(Boolean);
        if (answers.at(-1) === "1") return true;
        if (answers.length === sent) stdin?.write(`line ${++sent}\n`);
        return false;
      },
      20_000,
    );
    await until("it in the follower's output", () => follower.stdout().length > 0, 20_000);
    stdin?.end("\nlast");
    const heard = (await follower.ended).stdout.toString().trimEnd().split("\n").map(payloadOf);
    expect(heard).toEqual([`line ${sent}`, "", "last"]);
    expect((await publisher.ended).stdout.toString().endsWith("1\n1\n1\n")).toBe(true);
  });

  test("lines keep NUL and CR, empty ones count, a last one needs no line break", async () => {
    const place = makePlace();
    await using board = await place.openBoard();
    const follower = board.subscribe("log");
    await follower.ready;
    const input = Buffer.from("a\0b\n\n\r\n\xff\n\nend", "latin1");
    expect(await place.run(["publish", "log", "--lines"], { input })).toEqual(done("1\n".repeat(6)));
    expect(await place.run(["publish", "log", "--lines"], { input: Buffer.from("one\n") })).toEqual(
      done("1\n"),
    );
    expect(await place.run(["publish", "log", "--lines"])).toEqual(done());
    const heard: string[] = [];
    for await (const { payload } of follower) {
      heard.push(payload.toString("latin1"));
      if (heard.length === 7) break;
    }
    expect(heard).toEqual(["a\0b", "", "\r", "\xff", "", "end", "one"]);
  });

  test("a follower's records are out one by one, through a pipe too", async () => {
    const place = makePlace();
    await using board = await place.openBoard();
    const follower = place.startBash("timmy-bb subscribe a b --count 3 | cat");
    await until("the follower", async () => (await board.publish("a", "one\ntwo")).receivers > 0, 20_000);
    await until("the first record", () => follower.stdout().toString() === "a\tone\\ntwo\n", 20_000);
    await board.publish("b", "tab\there");
    await until("the second", () => follower.stdout().toString() === "a\tone\\ntwo\nb\ttab\there\n", 20_000);
    await board.publish("a", "");
    expect((await follower.ended).stdout.toString()).toBe("a\tone\\ntwo\nb\ttab\there\na\t\n");
  });

  test("one literal channel: the payload as it is; --raw adds nothing", async () => {
    const place = makePlace();
    await using board = await place.openBoard();
    const payload = Buffer.from("two\nlines\0\xff", "latin1");
    const plain = place.start(["subscribe", "c"]);
    const raw = place.start(["subscribe", "c", "--raw"]);
    await until(
      "both",
      async () => (await board.channels()).find(({ followers }) => followers === 2),
      20_000,
    );
    await board.publish("c", payload);
    expect((await plain.ended).stdout).toEqual(Buffer.concat([payload, Buffer.from("\n")]));
    expect((await raw.ended).stdout).toEqual(payload);
  });
});

function payloadOf(line: string): unknown {
  return (JSON.parse(line) as { payload: unknown }).payload;
}

test("publish --lines sends every line, whether or not anybody reads the counts", async () => {
  const place = Workplace.memory();
  const status = ["$", "{PIPESTATUS[1]}"].join(""); // bash's, not a template's
  const script = `seq 1 30 | timmy-bb publish c --lines | head -n 1; echo ${status}`;
  expect(await place.bash(script)).toEqual(done("0\n0\n"));
  expect(await place.bash("timmy-bb channels | cut -f 2")).toEqual(done("30\n"));
});
