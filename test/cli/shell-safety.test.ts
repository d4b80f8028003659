/** The shell function among what a script has of its own: variables, traces, descriptors; and what may happen to its process. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { bashCode } from "../../src/cli/shell/bash.ts";
import { zshCode } from "../../src/cli/shell/zsh.ts";
import { killProcesses } from "../helpers/processes.ts";
import { getShells, init, runOver, SHELLS, startScript } from "../helpers/shells.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { done, said, Workplace } from "../helpers/workplace.ts";

// Each script is a shell and a process or two: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

beforeAll(getShells, 320_000);
afterAll(() => {
  killProcesses();
  removeTempDirs();
});

const CODE = { bash: bashCode(["timmy-bb"]), zsh: zshCode(["timmy-bb"]) };

/** What the code declares, and reads into. */
function localsOf(code: string): string[] {
  const declared = [...code.matchAll(/^ *local(?: -\w)?((?: +\w+(?:=(?:"[^"]*"|\([^)]*\)|[^\s;]*))?)+)/gm)];
  const names = declared.flatMap(([, list = ""]) =>
    [...list.matchAll(/ (\w+)(?=[ =]|$)/g)].map(([, name]) => name),
  );
  const others = [...code.matchAll(/\bfor (\w+) in|\{(\w+)\}[<>]/g)].map(
    ([, loop, opened]) => loop ?? opened,
  );
  return [...new Set([...names, ...others])].filter((name) => name !== undefined);
}

describe.concurrent.each(SHELLS)("in %s", (shell) => {
  const over = (place: Workplace, script: string) => runOver(place, shell, script);

  test("a script's own variables, readonly or integers, are in nobody's way", async () => {
    const locals = localsOf(CODE[shell]);
    expect(locals.length).toBeGreaterThan(15);
    const own = shell === "bash" ? ["GLOBIGNORE"] : []; // in a subshell
    expect(locals.filter((name) => !name.startsWith("_timmy_bb_"))).toEqual(own);
    const names = locals.filter((name) => !own.includes(name)).map((name) => name.replace("_timmy_bb_", ""));
    const odd = shell === "bash" ? "shopt -s localvar_inherit; declare -i integer=1" : "integer n=1";
    const script = `${names.map((name) => `readonly ${name}=web`).join("; ")}; ${odd}
      ${init(shell)}timmy-bb set k mine
      TIMMY_BB_PREFIX=x timmy-bb set k of-x; timmy-bb get k; TIMMY_BB_PREFIX=x timmy-bb get k`;
    expect(said(await startScript(Workplace.memory(), shell, script).ended)).toEqual(done("mine\nof-x\n"));
  });

  test("no password gets into a trace, which goes on behind each call", async () => {
    const place = Workplace.memory({
      TIMMY_BB_REDIS_PASSWORD: "hunter2",
      TIMMY_BB_URL: "redis://:hunter2@localhost",
    });
    const script = `set -x; ${init(shell)}timmy-bb set k v; x=$(timmy-bb get k); TIMMY_BB_PREFIX=x timmy-bb set k v
      printf 1 | timmy-bb set n; ${init(shell)}timmy-bb get k; echo "still $((40 + 2))" > /dev/null`;
    const { exit, out, err } = said(await startScript(place, shell, script).ended);
    expect([exit, out, err.includes("hunter2")]).toEqual([0, "v\n", false]);
    expect(err).toMatch(/timmy-bb get k.*echo '?still 42'?\n/s);
  });

  test("the board that shell-init was told is that of each call", async () => {
    const place = Workplace.memory();
    const script = `eval "$(timmy-bb --prefix "it's other" --timeout 9s shell-init ${shell})"
      timmy-bb set k there; timmy-bb get k; printf piped | timmy-bb set p; timmy-bb get p
      timmy-bb get k --prefix none --default of-none`;
    expect(said(await startScript(place, shell, script).ended)).toEqual(done("there\npiped\nof-none\n"));
    expect(await place.run(["keys", "--prefix", "it's other"])).toEqual(done("k\np\n"));
    const { exit, out, err } = await place.run(["shell-init", shell, "--url", "redis://:hunter2@localhost"]);
    expect([exit, out, err.includes("hunter2")]).toEqual([2, "", false]);
    expect(err).toContain("TIMMY_BB_REDIS_PASSWORD");
  });

  test("when the process is stopped, a call ends all the same, and the next has another", async () => {
    const script = `timmy-bb set k v; kill -STOP \${_timmy_bb[server]}
      timmy-bb set k late --timeout 1s || echo "exit $?"; timmy-bb get k`;
    const { exit, out, err } = await over(Workplace.memory(), script);
    expect([exit, out]).toEqual([0, "exit 4\nv\n"]);
    expect(err).toMatch(/^timmy-bb: the process behind this function has ended.* unknown\n$/);
  });

  test("a file that the script opens under one of its descriptors stays the script's", async () => {
    const opened =
      shell === "bash" ? "exec 10> a 11> b 12> c; n=12" : "n=$_timmy_bb[request]; exec {n}>&-; exec {n}> c"; // in zsh only what was closed is given out again
    const script = `timmy-bb set k v; first=\${_timmy_bb[server]}
      ${opened}; timmy-bb set k new; timmy-bb get k; echo mine >&$n; timmy-bb get k
      [[ \${_timmy_bb[server]} != $first ]] && echo another; echo more >&$n; cat c`;
    expect(await over(Workplace.memory(), script)).toEqual(done("new\nnew\nanother\nmine\nmore\n"));
  });

  test("it keeps no directory busy, and finds a board file that was removed as the command does", async () => {
    const place = Workplace.memory({ TIMMY_BB_DATA_DIR: "board" });
    const script = `timmy-bb set k v; first=\${_timmy_bb[server]}; readlink /proc/$first/cwd
      rm -r board; timmy-bb get k; echo "gone: $?"
      rm -r board; timmy-bb set k again; timmy-bb get k; [[ \${_timmy_bb[server]} == $first ]] && echo same
      printf filed > file; timmy-bb set k --file file; timmy-bb get k; timmy-bb set k --file "$PWD/file"; ls board | head -1`;
    expect(await over(place, script)).toEqual(done("/\ngone: 1\nagain\nsame\nfiled\nboard.db\n"));
  });
});
