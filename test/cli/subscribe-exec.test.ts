/** A command for each message: what it gets, how it may end, and how many at once. */
import { constants, readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, test, vi } from "vitest";
import { COMMAND } from "../helpers/cli.ts";
import { killProcesses } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";
import { done, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });
afterAll(() => {
  killProcesses();
  removeTempDirs();
});

/** A board with these messages in the channel `c`. */
async function placeWith(...payloads: (string | Uint8Array)[]): Promise<{ place: Workplace; ids: string[] }> {
  const place = Workplace.memory();
  await using board = await place.openBoard({ agent: "ada" });
  const ids: string[] = [];
  for (const payload of payloads) ids.push((await board.publish("c", payload)).id);
  return { place, ids };
}

const replay = (...command: string[]) => ["subscribe", "c", "--since", "1h", "--", ...command];

describe.concurrent("what a command gets", () => {
  test("the payload on standard input, byte for byte", async () => {
    const bytes = Buffer.from([0, 255, 254, 10, 13, 0, 32, 10, 10]);
    const large = Buffer.alloc(3_000_000, "0123456789\n");
    const { place } = await placeWith(bytes, "", large);
    expect((await place.ended(replay("cat"))).stdout.equals(Buffer.concat([bytes, large]))).toBe(true);
    expect(await place.run(replay("wc", "-c"))).toEqual(done(`${bytes.length}\n0\n${large.length}\n`));
  });

  test("a standard input that can be opened, and that no shell takes for a network", async () => {
    const { place } = await placeWith("payload");
    writeFileSync(place.path(".bashrc"), "echo from .bashrc");
    expect(await place.run(replay("cat", "/dev/stdin"))).toEqual(done("payload"));
    expect(await place.run(replay("bash", "-c", 'echo "$(< /dev/stdin)"'))).toEqual(done("payload\n"));
    expect(await place.run(replay("cat"), { env: { TMPDIR: "/nowhere" } })).toEqual(done("payload"));
  });

  test("its words as they are, never through a shell", async () => {
    const { place } = await placeWith("x");
    const words = ["$HOME; rm x", "*", "a  b", "", "`id`", "ä"];
    expect(await place.run(replay("printf", "[%s]", ...words))).toEqual(
      done(words.map((word) => `[${word}]`).join("")),
    );
  });

  test("where the message comes from in its environment", async () => {
    const { place, ids } = await placeWith("x");
    const env = { TIMMY_BB_ATTEMPT: "inherited", OTHER: "kept" };
    const { out, err } = await place.run(replay("env"), { env });
    expect(err).toBe("");
    const ours = out.split("\n").filter((line) => /^(TIMMY_BB_|OTHER)/.test(line));
    const at = ids[0]?.split("-")[0];
    expect(ours.sort()).toEqual([
      "OTHER=kept",
      `TIMMY_BB_AT=${at}`,
      "TIMMY_BB_BACKEND=memory",
      "TIMMY_BB_BY=ada",
      "TIMMY_BB_CHANNEL=c",
      `TIMMY_BB_ID=${ids[0]}`,
    ]);
  });

  test("no password, wherever it came from; a foreign message has no id and no author", async () => {
    await using own = await RedisServer.start({ password: "s3cret" });
    const url = `redis://default:s3cret@127.0.0.1:${own.port}`;
    const place = Workplace.bare({
      TIMMY_BB_URL: url,
      TIMMY_BB_REDIS_PASSWORD: "s3cret",
      TIMMY_BB_BACKEND: "redis",
    });
    const started = place.start(["subscribe", "c", "--", "env"]);
    await until("the follower", async () => (await own.cli("PUBLISH", "timmy:c", "x")) === "1");
    const { stdout, exitCode } = await started.ended;
    const out = stdout.toString();
    expect(exitCode).toBe(0);
    expect(out).not.toContain("s3cret");
    expect(out).toContain(`TIMMY_BB_URL=redis://default@127.0.0.1:${own.port}\n`);
    expect(out).toMatch(/^TIMMY_BB_ID=$/m);
    expect(out).toMatch(/^TIMMY_BB_BY=$/m);
    expect(out).toMatch(/^TIMMY_BB_AT=\d{13}$/m);
  });

  test("foreign names that no variable can hold do not stop it", async () => {
    await using own = await RedisServer.start();
    const place = Workplace.redis(own);
    const started = place.start(["subscribe", "*", "--", "sh", "-c", 'printf "%s" "$TIMMY_BB_CHANNEL"']);
    const channel = Buffer.concat([Buffer.from(`${place.prefix}:a`), Buffer.from([0, 255])]);
    const publish = () =>
      own.cliBytes(["-x", "EVAL", "return redis.call('PUBLISH', ARGV[1], 'x')", "0"], channel);
    await until("the follower", async () => (await publish()).toString().includes("1"));
    expect((await started.ended).stdout.toString()).toBe("a\ufffd\ufffd");
  });

  test("its output, both of them, untouched; nothing else is on stdout", async () => {
    const { place } = await placeWith("1", "2");
    const script = "cat; echo to stderr >&2; exit 1";
    const { exit, out, err } = await place.run(replay("sh", "-c", script));
    expect({ exit, out }).toEqual({ exit: 1, out: "12" });
    expect(err.match(/^to stderr\ntimmy-bb: sh exited 1 .*\n/gm)).toHaveLength(2);
  });

  test("pipes that stay blocking: their flags are shared, and our own notice must not change them", async () => {
    const { place } = await placeWith("1", "2");
    // While the second runs, the first fails and is told of.
    const flags = "sed -n 's/^flags://p' /proc/self/fdinfo/1 /proc/self/fdinfo/2";
    const script = `[ "$(cat)" = 2 ] || exit 1; until grep -q exited said; do sleep 0.01; done; ${flags}`;
    writeFileSync(place.path("said"), "");
    const command = `timmy-bb subscribe c --last 2 --parallel 2 -- sh -c '${script.replaceAll("'", "'\\''")}'`;
    const { out } = await place.bash(
      `{ ${command} 2>&3 | cat; } 3>&1 >&4 | tee said >&2`.replace(/^/, "exec 4>&1; "),
    );
    const bits = [...out.matchAll(/^\s*(0\d+)$/gm)].map(([, octal = ""]) => Number.parseInt(octal, 8));
    expect(bits.map((flag) => flag & constants.O_NONBLOCK)).toEqual([0, 0]);
  });

  test("an almost empty environment, a closed standard input", async () => {
    const { place } = await placeWith("x");
    const words = COMMAND.map((word) => `'${word}'`).join(" ");
    const bare = `env -i HOME="$HOME" ${words} --backend memory`;
    expect(await place.bash(`${bare} subscribe c --last 1 -- cat`)).toEqual(done("x"));
    expect(await place.bash("timmy-bb subscribe c --last 1 -- cat <&-")).toEqual(done("x"));
  });
});

describe.concurrent("how it ends", () => {
  test("one message: its status is the exit, and a notice says which message", async () => {
    const { place, ids } = await placeWith("x");
    const notice = (what: string) => `timmy-bb: sh ${what} (c ${ids[0]})\n`;
    expect(await place.run(replay("true"))).toEqual(done());
    expect(await place.run(replay("sh", "-c", "exit 3"))).toEqual({
      exit: 3,
      out: "",
      err: notice("exited 3"),
    });
    expect(await place.run(replay("sh", "-c", "kill -9 $$"))).toEqual({
      exit: 137,
      out: "",
      err: notice("killed by SIGKILL"),
    });
    expect((await place.run([...replay("sh", "-c", "exit 3").slice(0, 4), "-q", "--", "false"])).err).toBe(
      "",
    );
  });

  test("many messages: it goes on, and exits with the status of the last that failed", async () => {
    const { place, ids } = await placeWith("3", "0", "4", "0");
    const { exit, out, err } = await place.run(replay("sh", "-c", "read -r n || true; echo $n; exit $n"));
    expect({ exit, out }).toEqual({ exit: 4, out: "3\n0\n4\n0\n" });
    expect(err).toBe(`timmy-bb: sh exited 3 (c ${ids[0]})\ntimmy-bb: sh exited 4 (c ${ids[2]})\n`);
  });

  test("not found, not executable: it ends at once with what a shell would say", async () => {
    const { place } = await placeWith("x", "y");
    writeFileSync(place.path("plain"), "true\n", { mode: 0o644 });
    const cases: ReadonlyArray<readonly [string, number, string]> = [
      ["no-such-command", 127, "cannot run no-such-command: there is no such command"],
      ["./gone", 127, "cannot run ./gone: there is no such command"],
      ["", 127, "cannot run : there is no such command"],
      ["./plain", 126, "cannot run ./plain: it is not executable"],
      ["/tmp", 126, "cannot run /tmp: it is not executable"],
    ];
    for (const [command, exit, message] of cases) {
      expect(await place.run(replay(command))).toEqual({ exit, out: "", err: `timmy-bb: ${message}\n` });
    }
    const { err } = await place.run(["--json", ...replay("no-such-command")]);
    expect(JSON.parse(err)).toEqual({
      error: { kind: "usage", message: cases[0]?.[2], hint: null, exit: 127 },
    });
  });

  test("a command that does not read its input is no failure", async () => {
    const { place } = await placeWith(Buffer.alloc(2_000_000), Buffer.alloc(2_000_000));
    expect(await place.run(replay("true"))).toEqual(done());
    expect(await place.run(replay("true"), { env: { TMPDIR: "/nowhere" } })).toEqual(done());
  });

  test("--exec-timeout reaches what the command has started, and KILL what does not listen", async () => {
    const { place, ids } = await placeWith("x");
    const script = "sleep 1000 & echo $!; sleep 1000";
    const words = ["subscribe", "c", "--last", "1", "--exec-timeout", "300ms", "--", "sh", "-c", script];
    const { exit, out, err } = await place.run(words);
    expect({ exit, err }).toEqual({
      exit: 124,
      err: expect.stringContaining(`timmy-bb: sh timed out after 300ms (c ${ids[0]})\n`),
    });
    expect(isRunning(Number(out))).toBe(false);
    const deaf = [
      "subscribe",
      "c",
      "--last",
      "1",
      "--exec-timeout",
      "300ms",
      "--",
      "sh",
      "-c",
      `trap "" TERM; ${script}`,
    ];
    const killed = await place.run(deaf);
    expect([killed.exit, isRunning(Number(killed.out))]).toEqual([124, false]);
  });

  test("a command that sends something into the background is done when it itself is", async () => {
    const { place } = await placeWith("x");
    const { out, exit } = await place.run(replay("sh", "-c", "sleep 5 >/dev/null 2>&1 & echo $!"));
    expect([exit, isRunning(Number(out))]).toEqual([0, true]);
    process.kill(Number(out), "SIGKILL");
  });

  test("--wait: what runs may end, nothing new is begun", async () => {
    const { place } = await placeWith("1", "2", "3");
    const words = ["subscribe", "c", "--last", "3", "--follow", "--wait", "300ms"];
    const late = await place.run([...words, "--", "sh", "-c", "cat; sleep 0.6; echo end"]);
    expect(late).toEqual({ exit: 3, out: "1end\n", err: "timmy-bb: timed out after 300ms\n" });
    const none = await place.run(["subscribe", "d", "--wait", "200ms", "--", "cat"]);
    expect(none).toEqual({ exit: 3, out: "", err: "timmy-bb: timed out after 200ms\n" });
  });
});

describe.concurrent("how many at once", () => {
  test("one after the other, in order, by default; the next is not begun before", async () => {
    const { place } = await placeWith("1", "2", "3", "4", "5");
    const script = "mkdir lock || echo together; cat; rmdir lock; echo";
    expect(await place.run(replay("sh", "-c", script))).toEqual(done("1\n2\n3\n4\n5\n"));
  });

  test("--parallel: so many at once, and never more", async () => {
    const { place } = await placeWith("1", "2", "3", "4", "5", "6");
    // Each waits until three have begun, which only three at once can bring about.
    const script =
      'n=$(cat); : > "begun.$n"; until [ "$(ls begun.* | wc -l)" -ge 3 ]; do sleep 0.01; done; ls run.* 2>/dev/null | wc -l; : > run.$n; sleep 0.1; rm run.$n';
    const { exit, out } = await place.run([
      "subscribe",
      "c",
      "--since",
      "1h",
      "--parallel",
      "3",
      "--",
      "sh",
      "-c",
      script,
    ]);
    expect(exit).toBe(0);
    const others = out.trim().split("\n").map(Number);
    expect(others).toHaveLength(6);
    expect(Math.max(...others)).toBeLessThan(3);
  });

  test("-n counts what was handled", async () => {
    const { place } = await placeWith("1", "2", "3", "4");
    const words = (...more: string[]) => ["subscribe", "c", "--last", "4", "-n", "3", ...more, "--", "cat"];
    expect(await place.run(words())).toEqual(done("123"));
    const { exit, out } = await place.run(words("--parallel", "2"));
    expect([exit, [...out].sort().join("")]).toEqual([0, "123"]);
  });

  test("--on-busy drop: what comes meanwhile is gone, and counted", async () => {
    const { place } = await placeWith("first", "a", "b", "c");
    const words = ["subscribe", "c", "--last", "4", "-n", "2", "--on-busy", "drop", "--", "sh", "-c", SLOW];
    const started = place.start(words);
    await until("the notice", () => started.stderr() !== "");
    await place.ask("publish", "c", "last");
    const { stdout, stderr, exitCode } = await started.ended;
    const err = "timmy-bb: 3 messages were dropped while sh was busy\n";
    expect([exitCode, stdout.toString(), stderr]).toEqual([0, "first last ", err]);
  });

  test("--on-busy coalesce: of each channel the newest waits", async () => {
    const { place } = await placeWith("first", "a", "b");
    await place.ask("publish", "d", "d");
    const words = ["subscribe", "*", "--last", "4", "--on-busy", "coalesce", "--", "sh", "-c", SLOW];
    const err = "timmy-bb: 1 message was dropped while sh was busy\n";
    expect(await place.run(words)).toEqual({ exit: 0, out: "first b d ", err });
  });
});

/** Longer than it takes to read what is there. */
const SLOW = 'cat; printf " "; sleep 0.5';

function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}
