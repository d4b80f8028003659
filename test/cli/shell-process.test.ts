/** The process behind the shell function: shared by subshells, replaced when it is gone, ended with its shell. */
import { existsSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { onTerminal, Terminal } from "../helpers/pty.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { getShells, init, runOver, SHELLS, type Shell, startScript } from "../helpers/shells.ts";
import { until } from "../helpers/until.ts";
import { done, said, Workplace } from "../helpers/workplace.ts";

// Each script is a shell and a process or two: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

describe.concurrent.each(SHELLS)("in %s", (shell) => {
  const over = (place: Workplace, script: string) => runOver(place, shell, script);

  test("subshells at the same time get each its own answers, on redis as well", async () => {
    await getShells();
    const script = `
      worker() { for i in {1..40}; do timmy-bb set "$1-$i" "of $1 $i"; [[ $(timmy-bb get "$1-$i") == "of $1 $i" ]] || echo "wrong $1 $i"; done; }
      worker a & worker b & worker c | cat & worker d
      wait
      timmy-bb keys | wc -l | tr -d ' '
      timmy-bb get a-1 --raw | tr o O | timmy-bb set copied; timmy-bb get copied`;
    for (const place of [Workplace.memory(), Workplace.redis(server)]) {
      expect(await over(place, script)).toEqual(done("160\nOf a 1\n"));
    }
  });

  test("when it was killed, the next call has another; in a subshell too", async () => {
    const script = `finish() { kill -9 $1; while [[ -e /proc/$1 ]]; do sleep 0.02; done; }
      timmy-bb set k v
      first=\${_timmy_bb[server]}; finish $first; x=$(timmy-bb get k); echo $x
      timmy-bb get k
      [[ \${_timmy_bb[server]} != "$first" ]] && kill -0 \${_timmy_bb[server]} && echo another
      finish \${_timmy_bb[server]}; for i in 1 2 3; do timmy-bb get k; done | cat`;
    expect(await over(Workplace.memory(), script)).toEqual(done("v\nv\nanother\nv\nv\nv\n"));
  });

  test("when there is none to be had, the program does it", async () => {
    const place = Workplace.memory();
    const without = `eval "$(timmy-bb shell-init ${shell} | sed "s#'/.*' batch#false batch#")"
      timmy-bb set k v; timmy-bb get k; x=$(timmy-bb get k); echo $x; timmy-bb get absent`;
    expect(said(await startScript(place, shell, without).ended)).toEqual({ exit: 1, out: "v\nv\n", err: "" });
    const nothing = `eval "$(timmy-bb shell-init ${shell} | sed "s#'/.*' batch#/no/program batch#; s#^  '/.*'#  /no/program#")"
      timmy-bb set k v`;
    expect((await startScript(place, shell, nothing).ended).exitCode).toBe(127);
  });

  test("it holds nothing of the shell's open: no lock, no pipe", async () => {
    const place = Workplace.memory();
    const script = `exec 9> lock; flock 9; exec 8>&1
      ${init(shell)}timmy-bb set k v
      exec 9>&-; flock -n lock true && echo free
      ls -l /proc/\${_timmy_bb[server]}/fd | grep -c "$(readlink /proc/$$/fd/1)"`;
    const { out } = said(await startScript(place, shell, script).ended);
    expect(out).toBe("free\n0\n");
  });

  test("it ends with its shell, however that ends, and whatever that has started", async () => {
    const place = Workplace.memory();
    const ends = ["exit 0", "kill -9 $$", "exec true"];
    const servers = ends.map(async (end) => {
      const script = `${init(shell)}timmy-bb set k v; echo \${_timmy_bb[server]}; sleep 300 > /dev/null 2>&1 & echo $!; ${end}`;
      const { stdout } = await startScript(place, shell, script).ended;
      return stdout.toString("utf8").trim().split("\n").map(Number);
    });
    for (const [behind = 0, child = 0] of await Promise.all(servers)) {
      await until("the process behind the function has ended", () => !existsSync(`/proc/${behind}`));
      process.kill(child, "SIGKILL"); // it has held the pipes open to the end
    }
  });

  test("killed in the middle of a call: the outcome is unknown, and the next call has another", async () => {
    await withPausedServer(shell, async (place, paused) => {
      const started = startScript(
        place,
        shell,
        `${init(shell)}echo \${_timmy_bb[server]}
        timmy-bb set k v; echo "exit $?"; timmy-bb get other --default none`,
      );
      await paused.isWaitedFor();
      process.kill(Number.parseInt(started.stdout().toString("utf8"), 10), "SIGKILL");
      const { exit, out, err } = said(await started.ended);
      expect([exit, out.replace(/^\d+\n/, "")]).toEqual([0, "exit 4\nnone\n"]);
      expect(err).toMatch(/^timmy-bb: the process behind this function has ended in the middle.*unknown\n$/);
    });
  });

  test("a subshell that is killed in the middle of its call keeps nobody else from theirs", async () => {
    await withPausedServer(shell, async (place, paused) => {
      const script = `${init(shell)}( timmy-bb set k v; echo wrong ) & sub=$!
        while [[ ! -e go ]]; do sleep 0.02; done
        kill -9 $sub; wait $sub 2> /dev/null
        for i in 1 2 3; do timmy-bb get other --default "got $i"; done; x=$(timmy-bb get other --default sub); echo $x`;
      const started = startScript(place, shell, script);
      await paused.isWaitedFor();
      await startScript(place, shell, ": > go").ended;
      const { exit, out } = said(await started.ended);
      expect([exit, out]).toEqual([0, "got 1\ngot 2\ngot 3\nsub\n"]);
    });
  });

  test("a slow call of a subshell gets its answer, though its parent does not wait for it", async () => {
    await withPausedServer(shell, async (place, paused) => {
      const script = `${init(shell)}( timmy-bb incr n; echo "sub $?" ) &
        while [[ ! -e go ]]; do sleep 0.02; done
        timmy-bb get other --default got; : > gone; wait; timmy-bb get n`;
      const started = startScript(place, shell, script);
      await paused.isWaitedFor();
      await startScript(place, shell, ": > go").ended;
      await until("the parent's call has ended", () => existsSync(place.path("gone")));
      await paused.goesOn();
      expect(said(await started.ended)).toEqual(done("got\n1\nsub 0\n1\n"));
    });
  });

  test("a trap that comes in the middle of a call may call, too", async () => {
    await withPausedServer(shell, async (place, paused) => {
      const started = startScript(
        place,
        shell,
        `${init(shell)}trap 'timmy-bb get other --default trapped' USR1; timmy-bb incr n; timmy-bb incr n`,
      );
      await paused.isWaitedFor();
      started.process.kill("SIGUSR1");
      await paused.goesOn();
      const { exit, out, err } = said(await started.ended);
      expect([exit, out.split("\n").sort(), err]).toEqual([0, ["", "1", "2", "trapped"], ""]);
    });
  });

  test("a person at a terminal sees the command's own output and no news of jobs", async () => {
    const place = Workplace.memory();
    const calls =
      "timmy-bb set k $'a\\eb'; timmy-bb get k; timmy-bb keys --json; timmy-bb get; timmy-bb channels";
    const plain = await onTerminal(place, `${shell} -c "${calls.replaceAll("$", "\\$")}"`);
    const script = `${init(shell)}${calls}`.replaceAll(/["$]/g, "\\$&");
    expect(await onTerminal(place, `${shell} -c "${script}"`)).toEqual(plain);
    expect(plain.screen).toContain("a^[b");
  });

  test("Ctrl-C in the middle of a call at a prompt: the next call answers at once", async () => {
    await withPausedServer(shell, async (place, paused) => {
      const start = shell === "bash" ? "bash --norc --noprofile -i" : "zsh -f -i";
      const terminal = new Terminal(place, start, { PS1: "> ", TERM: "dumb", PROMPT_EOL_MARK: "" });
      await terminal.type(init(shell), "> ");
      await terminal.type("timmy-bb get other --default re''ady\n", "> ");
      await terminal.type("timmy-bb set k v\n", "ready");
      await paused.isWaitedFor();
      await terminal.type("\x03", "ready");
      await terminal.type("timmy-bb get other --default an''swered\n", "^C");
      await terminal.type("exit\n", "answered");
      const { screen } = await terminal.end();
      expect(screen).not.toMatch(/\[\d+\]|Done|Terminated|done |unknown|error|not found/);
    });
  });
});

test("a bash that was given the function alone runs the command", async () => {
  const script = `set -a; timmy-bb set k v; export -f timmy-bb; bash -uc 'timmy-bb get k'; exec bash -uc 'timmy-bb get k'`;
  expect(await runOver(Workplace.memory(), "bash", script)).toEqual(done("v\nv\n"));
  const posix = `set -o posix; ${init("bash")}timmy-bb set k v; timmy-bb get k`;
  expect(said(await startScript(Workplace.memory(), "bash", posix).ended)).toEqual(done("v\n"));
});

interface Paused {
  /** A call that writes has come to the server. */
  isWaitedFor(): Promise<unknown>;
  goesOn(): Promise<unknown>;
}

/** On a server that lets whoever writes wait. */
async function withPausedServer(shell: Shell, work: (place: Workplace, paused: Paused) => Promise<void>) {
  const own = await RedisServer.start();
  try {
    const place = Workplace.redis(own);
    await startScript(place, shell, "timmy-bb set warm up").ended;
    await own.cli("client", "pause", "60000", "write");
    await work(place, {
      isWaitedFor: () =>
        until("a call waits for the server", async () =>
          (await own.cli("info", "clients")).includes("blocked_clients:1"),
        ),
      goesOn: () => own.cli("client", "unpause"),
    });
  } finally {
    await own.stop();
  }
}
