/** `lock run`: a command under a lock, with the real command, processes that are stopped and killed, and a server that goes. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { inParallel } from "../helpers/parallel.ts";
import type { Started } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { scaled } from "../helpers/scale.ts";
import { until, within } from "../helpers/until.ts";
import { done, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

const STORES = [
  ["memory", () => Workplace.memory()],
  ["redis", () => Workplace.redis(server)],
] as const;

/** Starts `lock run` with a shell script and waits until that says `begun`. */
async function begun(place: Workplace, script: string, ...options: readonly string[]): Promise<Started> {
  const started = place.start(["lock", "run", "x", ...options, "--", "sh", "-c", `echo begun; ${script}`]);
  await until(`the command (${started.stderr()})`, () => started.stdout().includes("begun"));
  return started;
}

/** Held until the file is there. */
const UNTIL = (file: string) => `while ! test -e ${file}; do sleep 0.02; done`;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");
  } catch {
    return false;
  }
}

async function isFree(place: Workplace): Promise<boolean> {
  await using board = await place.openBoard();
  return (await board.locks.show("x")) === null;
}

describe.concurrent.each(STORES)("on %s", (_store, makePlace) => {
  test("the command's status, output, input, and what it finds in its environment", async () => {
    const place = makePlace();
    const script = 'cat; echo "$TIMMY_BB_LOCK $TIMMY_BB_LOCK_TOKEN $TIMMY_BB_FENCE" >&2; exit 3';
    const input = Buffer.from("a\0b\xff", "latin1");
    const ended = await place.ended(["lock", "run", "x", "--", "sh", "-c", script], { input });
    expect(ended.exitCode).toBe(3);
    expect(ended.stdout).toEqual(input);
    expect(ended.stderr).toMatch(/^x [0-9a-f]{32} \d{16}\n$/);
    expect(await isFree(place)).toBe(true);
  });

  test("a holder that is stopped beyond its time learns of the loss, and nothing stale is written", async () => {
    const place = makePlace();
    const stale = `${UNTIL("go")}; timmy-bb set k stale --lock x --fence $TIMMY_BB_FENCE; echo $? > status; ${UNTIL("never")}`;
    const started = place.startBash(`exec timmy-bb lock run x --ttl 600ms -- sh -c 'echo begun; ${stale}'`);
    await until("the command", () => started.stdout().includes("begun"));
    started.process.kill("SIGSTOP"); // the command goes on
    const script = "timmy-bb set k fresh --lock x --fence $TIMMY_BB_FENCE";
    expect(await place.bash(`timmy-bb lock run x --wait 20s -- sh -c '${script}'`)).toEqual(done());
    writeFileSync(place.path("go"), "");
    const status = await until(
      "the stale write",
      () => existsSync(place.path("status")) && readFileSync(place.path("status"), "utf8"),
    );
    expect(status).toBe("5\n");
    started.process.kill("SIGCONT");
    const ended = await started.ended;
    expect(ended.exitCode).toBe(5);
    expect(ended.stderr).toContain("timmy-bb: the lock x was lost: ");
    expect(await place.ask("get", "k")).toBe("fresh\n");
  });

  test("lost: the command and what it has started get TERM, then KILL", async () => {
    const place = makePlace();
    const script =
      "trap 'echo told' TERM; sh -c 'trap \"\" TERM; echo child $$; while :; do sleep 0.05; done'";
    const started = await begun(place, script, "--ttl", "900ms");
    const child = Number((await until("its child", () => /child (\d+)/.exec(String(started.stdout()))))[1]);
    const token =
      readFileSync(`/proc/${child}/environ`, "latin1").match(/TIMMY_BB_LOCK_TOKEN=(\w+)/)?.[1] ?? "";
    await using board = await place.openBoard();
    expect(await board.locks.release("x", token)).toBe(true);
    const { exitCode, stderr } = await started.ended;
    expect([exitCode, stderr]).toEqual([
      5,
      "timmy-bb: the lock x was lost; ending the command\n" +
        "timmy-bb: the lock x was lost: its time was up, or it was released by its token\n",
    ]);
    expect(isRunning(child)).toBe(false);
  });

  test("killed: the lock is free when its time is up, and not before", async () => {
    const place = makePlace();
    const started = await begun(place, UNTIL("end"), "--ttl", "1s");
    await using board = await place.openBoard();
    started.process.kill("SIGKILL"); // its command goes on, and keeps its output open
    await until("it is gone", () => !isRunning(started.pid));
    const beganAt = performance.now();
    const leftMs = (await board.locks.show("x"))?.holders[0]?.leftMs ?? 0;
    expect(leftMs).toBeGreaterThan(0);
    await within(
      "the lock",
      board.lock("x", {}, () => {}),
    );
    expect(performance.now() - beganAt).toBeGreaterThan(leftMs - 20);
    writeFileSync(place.path("end"), "");
  });

  test(
    "many processes change a file that knows no locks: no change is lost",
    async () => {
      const place = makePlace();
      const [processes, times] = [scaled(10, 32), scaled(2, 20)];
      writeFileSync(place.path("counter"), "0\n");
      const add = "n=$(cat counter); echo $((n + 1)) > counter";
      const words = ["lock", "run", "x", "--quiet", "--", "sh", "-c", add];
      const work = async () => {
        for (let time = 0; time < times; time++) expect(await place.run(words)).toEqual(done());
      };
      await inParallel(Array.from({ length: processes }), processes, work);
      expect(readFileSync(place.path("counter"), "utf8")).toBe(`${processes * times}\n`);
      expect(await isFree(place)).toBe(true);
    },
    scaled(40_000, 600_000),
  );
});

describe.concurrent("the command's end is ours", () => {
  test.each([
    ["exit 0", 0],
    ["exit 5", 5],
    ["kill -KILL $$", 137],
    ["kill -TERM $$", 143],
  ])("%s: %i", async (script, exit) => {
    expect(await Workplace.memory().run(["lock", "run", "x", "--", "sh", "-c", script])).toEqual({
      exit,
      out: "",
      err: "",
    });
  });

  test("there is no such command: 127; no command at all: 2", async () => {
    const place = Workplace.memory();
    const missing = await place.run(["lock", "run", "x", "--", "./nothing"]);
    expect(missing).toEqual({
      exit: 127,
      out: "",
      err: "timmy-bb: cannot run ./nothing: there is no such command\n",
    });
    expect(await isFree(place)).toBe(true);
    expect((await place.run(["lock", "run", "x"])).exit).toBe(2);
    expect((await place.run(["lock", "run", "x", "--"])).exit).toBe(2);
  });

  test.each([
    ["SIGTERM", "TERM"],
    ["SIGINT", "INT"],
    ["SIGHUP", "HUP"],
    ["SIGQUIT", "QUIT"],
  ] as const)(
    "%s is passed on, each time, and the command decides what comes of it",
    async (signal, name) => {
      const place = Workplace.memory();
      const started = await begun(
        place,
        `trap 'echo told; n=$((n+1))' ${name}; echo set; while test "\${n:-0}" -lt 2; do sleep 0.02; done; exit 7`,
      );
      await until("its trap", () => started.stdout().includes("set"));
      started.process.kill(signal);
      await until("the first", () => started.stdout().includes("told"));
      started.process.kill(signal);
      expect(await started.ended).toMatchObject({ exitCode: 7, stderr: "" });
      expect(String(started.stdout())).toBe("begun\nset\ntold\ntold\n");
      expect(await isFree(place)).toBe(true);
    },
  );
});

describe.concurrent("nothing goes on when the lock is given back", () => {
  test("a command that is told to end takes what it has started with it", async () => {
    const place = Workplace.memory();
    const started = await begun(place, "sh -c 'echo child $$; exec sleep 3600'; echo never");
    const [, child] = await until("its child", () => /child (\d+)\n/.exec(String(started.stdout())));
    started.process.kill("SIGTERM");
    expect(await started.ended).toMatchObject({ exitCode: 143, stderr: "" });
    expect(isRunning(Number(child))).toBe(false);
    expect(await isFree(place)).toBe(true);
  });

  test("lost: what has lost its parent is ended, too", async () => {
    const place = Workplace.memory();
    const orphan = "(sleep 3600 & echo child $!; echo token $TIMMY_BB_LOCK_TOKEN)";
    const started = await begun(place, `${orphan}; sleep 3600`, "--ttl", "1500ms");
    await until("all of it", () => started.stdout().includes("token"));
    const [, child, token = ""] = /child (\d+)\ntoken (\w+)\n/.exec(String(started.stdout())) ?? [];
    await place.ask("lock", "release", "x", "--token", token);
    expect((await started.ended).exitCode).toBe(5);
    expect(isRunning(Number(child))).toBe(false);
  });

  test("signals of its own come to it: USR1, USR2", async () => {
    const place = Workplace.memory();
    const script = "trap 'echo one' USR1; trap 'echo two; exit 0' USR2; while :; do sleep 0.02; done";
    const started = await begun(place, script.replace("while", "echo set; while"));
    await until("its traps", () => started.stdout().includes("set"));
    started.process.kill("SIGUSR1");
    await until("the first", () => started.stdout().includes("one"));
    started.process.kill("SIGUSR2");
    expect(await started.ended).toMatchObject({ exitCode: 0, stderr: "" });
    expect(String(started.stdout())).toBe("begun\nset\none\ntwo\n");
  });

  test("a reader of stderr who does not read holds nothing up: the command is ended in time", async () => {
    const own = await RedisServer.start();
    try {
      const place = Workplace.redis(own);
      const script = `head -c 65536 /dev/zero >&2; echo $$ > pid; ${UNTIL("never")}`; // as much as a pipe holds
      const started = place.startBash(
        `mkfifo fifo; exec 3<> fifo; exec timmy-bb lock run x --ttl 1s -- sh -c '${script}' 2>&3`,
      );
      const pidFile = place.path("pid");
      const written = await until("the command", () => existsSync(pidFile) && readFileSync(pidFile, "utf8"));
      const pid = Number(written);
      own.pause();
      await until("the command to be ended", () => !isRunning(pid));
      own.resume();
      expect(isRunning(started.pid)).toBe(true); // its last words wait for the reader
      started.process.kill("SIGKILL");
      await started.ended;
    } finally {
      await own.stop();
    }
  });
});

describe.concurrent("while it is held by another", () => {
  test("--no-wait: 5, with who holds it; --wait: 3; a stop signal: out of the line", async () => {
    const place = Workplace.memory({ TIMMY_BB_AGENT: "ada" });
    const holder = await begun(place, UNTIL("end"));
    const busy = await place.run(["lock", "run", "x", "--no-wait", "--", "true"]);
    expect(busy).toMatchObject({ exit: 5, out: "" });
    expect(busy.err).toMatch(/^timmy-bb: the lock x is held by ada \(host \S+, pid \d+\) for \S+\n/);
    const late = await place.run(["lock", "run", "x", "--wait", "100ms", "--", "true"]);
    expect(late).toMatchObject({ exit: 3, out: "" });
    expect(late.err).toContain("timed out after 100ms waiting: the lock x is held by ada (");
    const waiter = place.start(["lock", "run", "x", "--", "touch", "ran"]);
    await using board = await place.openBoard();
    await until("it in line", async () => (await board.locks.show("x"))?.waiting === 1);
    waiter.process.kill("SIGTERM");
    expect(await waiter.ended).toMatchObject({ exitCode: 143, stderr: "" });
    expect((await board.locks.show("x"))?.waiting).toBe(0);
    writeFileSync(place.path("end"), "");
    expect((await holder.ended).exitCode).toBe(0);
    expect(existsSync(place.path("ran"))).toBe(false);
  });

  test("inside the command itself it is refused at once, another one is not", async () => {
    const place = Workplace.memory();
    const inner = "timmy-bb lock run x -- echo never; echo $?; timmy-bb lock run y -- echo fine";
    const { exit, out, err } = await place.bash(`timmy-bb lock run x -- sh -c '${inner}'`);
    expect([exit, out]).toEqual([0, "5\nfine\n"]);
    expect(err).toContain("the lock x is held by the command that asks for it");
    expect(err).toContain("hint: locks are not reentrant");
  });

  test("it is told for whom it is waited when that takes long", async () => {
    const place = Workplace.memory({ TIMMY_BB_AGENT: "ada" });
    const holder = await begun(place, UNTIL("end"));
    const waiter = place.start(["lock", "run", "x", "--timeout", "300ms", "--", "true"]);
    await until("the notice", () => waiter.stderr().includes("waiting: the lock x is held by ada ("));
    writeFileSync(place.path("end"), "");
    expect((await waiter.ended).exitCode).toBe(0);
    await holder.ended;
  });
});

describe("without its store", () => {
  test("the server is killed: the command is ended before the lock's time is up", async () => {
    const own = await RedisServer.start();
    try {
      const place = Workplace.redis(own);
      const ttlMs = 1500;
      const script = `trap 'date +%s%3N > ended; exit 0' TERM; ${UNTIL("never")}`;
      const started = await begun(place, script, "--ttl", `${ttlMs}ms`);
      await own.kill();
      const killedAt = Date.now();
      const { exitCode, stderr } = await started.ended;
      expect(exitCode).toBe(5);
      expect(stderr).toContain("the lock x cannot be renewed for now (");
      expect(stderr).toContain("the lock x was lost: it could not be renewed in time");
      expect(Number(readFileSync(place.path("ended"), "utf8")) - killedAt).toBeLessThan(ttlMs);
    } finally {
      await own.stop();
    }
  });

  test("a server that comes back in time: nothing happens", async () => {
    const own = await RedisServer.start({ appendonly: true });
    try {
      const place = Workplace.redis(own);
      const started = await begun(place, UNTIL("end"), "--ttl", "6s");
      await own.kill();
      await until("the notice", () => started.stderr().includes("cannot be renewed"));
      await own.restart();
      await until("the other", () => started.stderr().includes("the lock x is renewed again"));
      writeFileSync(place.path("end"), "");
      expect((await started.ended).exitCode).toBe(0);
    } finally {
      await own.stop();
    }
  });

  test("auto, with redis out of reach: nothing is run, and it says why", async () => {
    const place = Workplace.bare({ TIMMY_BB_BACKEND: "auto", TIMMY_BB_URL: "redis://127.0.0.1:1" });
    const { exit, out, err } = await place.run(["lock", "run", "x", "--", "echo", "never"]);
    expect([exit, out]).toEqual([4, ""]);
    expect(err).toContain("who holds a lock is not decided on the file, two could win");
    expect(err).toContain("--backend memory");
  });
});
