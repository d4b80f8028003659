/** Told to stop: commands that run are told, too, and given time; what is not done goes back. */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test, vi } from "vitest";
import { insideProgram } from "../helpers/cli.ts";
import { killProcesses, type Started } from "../helpers/processes.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });
afterAll(() => {
  killProcesses();
  removeTempDirs();
});

async function placeWith(...payloads: string[]): Promise<Workplace> {
  const place = Workplace.memory();
  await using board = await place.openBoard();
  for (const payload of payloads) await board.publish("c", payload);
  return place;
}

/** A command that says that it runs, waits, and ends as it likes when it is told to. */
const POLITE = (atEnd: string) =>
  `exec 2> /dev/null; trap '${atEnd}' TERM INT QUIT; echo "begun $$"; while :; do sleep 0.05; done`;
const FOLLOW = ["subscribe", "c", "--last", "2", "--follow", "--", "sh", "-c"];
const WORK = ["subscribe", "c", "--consumer", "w", "--follow", "--", "sh", "-c"];

/** Starts it and waits until its command runs. */
async function begun(place: Workplace, words: readonly string[]): Promise<Started> {
  const started = place.start(words);
  await until("the command", () => started.stdout().includes("begun"));
  return started;
}

async function lagAndPending(place: Workplace): Promise<unknown> {
  const { lag, pending, workers } = JSON.parse(await place.ask("consumers", "--json"));
  return { lag, pending, workers };
}

describe.concurrent("with a command", () => {
  test.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGQUIT", 131],
  ] as const)(
    "%s is passed on, the command ends in its own time, nothing new begins",
    async (signal, exit) => {
      const place = await placeWith("1", "2");
      const started = await begun(place, [...FOLLOW, POLITE("sleep 0.3; echo done; exit 0")]);
      started.process.kill(signal);
      const { exitCode, stdout, stderr } = await started.ended;
      expect([exitCode, stderr]).toEqual([exit, ""]);
      expect(stdout.toString()).toMatch(/^begun \d+\ndone\n$/);
    },
  );

  test("a command that has only just begun is told, too", async () => {
    const place = await placeWith("1", "2");
    const script = 'trap "echo told; exit 0" TERM; kill -TERM $PPID; while :; do sleep 0.05; done';
    const { exit, out } = await place.run([...FOLLOW, `exec 2> /dev/null; ${script}`]);
    expect({ exit, out }).toEqual({ exit: 143, out: "told\n" });
  });

  test("a second signal ends the command and itself at once", async () => {
    const place = await placeWith("1", "2");
    const started = await begun(place, [...FOLLOW, POLITE("echo deaf")]);
    started.process.kill("SIGTERM");
    await until("the command to be told", () => started.stdout().includes("deaf"));
    started.process.kill("SIGTERM");
    const { exitCode, stdout } = await started.ended;
    expect(exitCode).toBe(143);
    const pid = /begun (\d+)/.exec(stdout.toString())?.[1];
    await until("the end of the command", () => !isRunning(Number(pid)));
  });

  test("a fault of our own leaves no command behind", async () => {
    const place = await placeWith("1");
    const env = insideProgram("process.on('SIGUSR2', () => { throw new Error('fault') })");
    const started = place.start([...FOLLOW, "unset NODE_OPTIONS BUN_OPTIONS; echo begun $$; sleep 1000"], {
      env,
    });
    await until("the command", () => started.stdout().includes("begun"));
    started.process.kill("SIGUSR2");
    const { exitCode, stdout } = await started.ended;
    expect(exitCode).toBe(70);
    const pid = /begun (\d+)/.exec(stdout.toString())?.[1];
    await until("the end of the command", () => !isRunning(Number(pid)));
  });

  test("a worker's message is done if its command still exits 0", async () => {
    const place = await placeWith("1", "2");
    const started = await begun(place, [...WORK, POLITE("exit 0")]);
    expect(await lagAndPending(place)).toEqual({ lag: 1, pending: 1, workers: 1 });
    started.process.kill("SIGTERM");
    expect((await started.ended).exitCode).toBe(143);
    expect(await lagAndPending(place)).toEqual({ lag: 1, pending: 0, workers: 0 });
    expect(await place.ask("subscribe", "c", "--consumer", "w")).toBe("2\n");
  });

  test("else it goes back, untried", async () => {
    const place = await placeWith("1", "2");
    const started = await begun(place, [...WORK, POLITE("exit 3")]);
    started.process.kill("SIGINT");
    const { exitCode, stderr } = await started.ended;
    expect([exitCode, stderr]).toEqual([130, ""]);
    const again = ["subscribe", "c", "--consumer", "w", "--", "sh", "-c", 'cat; echo " $TIMMY_BB_ATTEMPT"'];
    expect(await place.ask(...again)).toBe("1 1\n");
  });

  test("while it waits to try again it ends at once", async () => {
    const place = await placeWith("1");
    const started = place.start([...WORK, 'test "$TIMMY_BB_ATTEMPT" != 1 || echo begun; exit 1']);
    await until("the last wait", () => started.stderr().includes("trying again in 3s200ms"));
    started.process.kill("SIGTERM");
    expect((await started.ended).exitCode).toBe(143);
    const again = ["subscribe", "c", "--consumer", "w", "--", "sh", "-c", 'echo "$TIMMY_BB_ATTEMPT"'];
    expect(await place.ask(...again)).toBe("4\n");
  });
});

describe.concurrent("printing as a worker", () => {
  test("what is out is acknowledged, what is not goes back", async () => {
    const place = await placeWith("1", "2");
    const started = place.start(["subscribe", "c", "--consumer", "w", "--follow"]);
    await until("both", () => started.stdout().toString() === "1\n2\n");
    started.process.kill("SIGTERM");
    const { exitCode, stderr } = await started.ended;
    expect([exitCode, stderr]).toEqual([143, ""]);
    expect(await lagAndPending(place)).toEqual({ lag: 0, pending: 0, workers: 0 });
  });

  test("a reader that reads no more does not hold it up", async () => {
    const place = await placeWith(...Array.from({ length: 50 }, (_, n) => `${n}-${"x".repeat(10_000)}`));
    const script =
      "timmy-bb subscribe c --consumer w --follow --timeout 1s & echo $! > pid; wait $!; echo $? > exit";
    const started = place.startBash(`(${script}) | sh -c 'echo $$ > reader; exec sleep 60'`);
    const pid = (name = "pid") => Number(readOr(place.path(name)));
    {
      await using board = await place.openBoard();
      // The pipe and what is on its way to it hold fewer.
      await until(
        "the pipe is full",
        async () => ((await board.consumers())[0]?.channels[0]?.pending ?? 0) >= 20,
      );
    }
    await until("its id", () => pid() > 0);
    process.kill(pid(), "SIGTERM");
    await until("its end", () => readOr(place.path("exit")) === "143\n");
    process.kill(pid("reader"), "SIGKILL");
    await started.ended;
    const { workers } = JSON.parse(await place.ask("consumers", "--json"));
    expect(workers).toBe(0);
    expect(await place.ask("subscribe", "c", "--consumer", "w")).toMatch(/^\d+-x{10000}\n$/);
  });

  test("a closed pipe is 0 and silent, and what was not written is not acknowledged", async () => {
    // `head` ends at the first line, and the pipe does not hold the second.
    const place = await placeWith(
      "0",
      ...Array.from({ length: 9 }, (_, n) => `${n + 1}-${"x".repeat(150_000)}`),
    );
    const cut = await place.bash(
      'timmy-bb subscribe c --consumer w --count 10 | head -n 1; echo "$PIPESTATUS"',
    );
    expect(cut).toEqual({ exit: 0, out: "0\n0\n", err: "" });
    expect(await place.ask("subscribe", "c", "--consumer", "w")).toMatch(/^(0\n|1-x)/);
  });
});

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function isRunning(pid: number): boolean {
  return !/^$|\) Z /.test(readOr(`/proc/${pid}/stat`));
}
