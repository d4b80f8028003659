/** The shell function says and does what the command does, in whatever shape the caller's shell is. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Ended, killProcesses } from "../helpers/processes.ts";
import { getShells, init, runOver, SHELLS, startScript } from "../helpers/shells.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { done, Workplace } from "../helpers/workplace.ts";

// Each script is a shell and a process or two: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

beforeAll(getShells, 320_000);
afterAll(() => {
  killProcesses();
  removeTempDirs();
});

/** One after the other on one board; each alone on its line. */
const CALLS = [
  "timmy-bb",
  "timmy-bb --version",
  "timmy-bb frobnicate",
  "timmy-bb get",
  "timmy-bb get absent",
  "timmy-bb get absent --default ''",
  "timmy-bb --color always get",
  "timmy-bb set k v",
  "timmy-bb get k",
  "timmy-bb set empty ''",
  "timmy-bb get empty",
  "timmy-bb set ' k e y ' $' a\\t\\nb\\n\\n'",
  "timmy-bb get ' k e y '",
  "timmy-bb set bytes $'\\x01\\x7f\\xc3'",
  "timmy-bb get bytes --raw",
  "timmy-bb set \"$(printf 'bad\\nname')\" v",
  "timmy-bb set k 2 --if-value 3 2>&1 | cut -c 1-20",
  "timmy-bb exists k absent",
  "timmy-bb incr k",
  "printf in | timmy-bb set s",
  "printf filed > file; timmy-bb set filed --file file; timmy-bb get filed",
  "timmy-bb --prefix other get k",
  "timmy-bb keys 'b*' -0",
  "timmy-bb keys | head -1",
  "timmy-bb get k >&-",
  "timmy-bb take 'by*' --json | cut -c 1-12",
  "timmy-bb clear 'n*' --dry-run",
  "timmy-bb del k n x",
];

/** All of them, each with its exit code, and what it says where. */
const script = CALLS.map((call, at) => `{ ${call}; } 2> err; echo "${at}: $?"; sed 's/^/E /' err`).join("\n");

let byItself: Promise<Ended> | null = null;

/** What they say without the function. */
function itself(): Promise<Ended> {
  byItself ??= startScript(Workplace.memory(), "bash", script).ended;
  return byItself;
}

describe.concurrent.each(SHELLS)("in %s", (shell) => {
  const over = (place: Workplace, script: string) => runOver(place, shell, script);

  test("the same output and exit codes as the command, to the byte", async () => {
    const over = await startScript(Workplace.memory(), shell, init(shell) + script).ended;
    const { stdout, stderr, exitCode } = await itself();
    expect(over.stdout.toString("latin1")).toBe(stdout.toString("latin1"));
    expect([over.exitCode, over.stderr]).toEqual([exitCode, stderr]);
  });

  test("in set -euo pipefail a failure ends the script, in a condition it does not", async () => {
    const place = Workplace.memory();
    const strict = `set -euo pipefail
      timmy-bb set k v; timmy-bb get k
      if timmy-bb get absent; then echo wrong; fi
      timmy-bb exists absent || echo "absent: $?"
      x=$(timmy-bb get absent) || echo "none: $?"
      timmy-bb keys | head -1
      timmy-bb get absent
      echo not here`;
    expect(await over(place, strict)).toEqual({ exit: 1, out: "v\n0\nabsent: 1\nnone: 1\nk\n", err: "" });
  });

  test("no program is started for what the process can do, from subshells neither", async () => {
    const place = Workplace.memory();
    const calls = `times > before
      for i in 1 2 3 4 5 6 7 8 9 10; do timmy-bb set k$i v$i; timmy-bb get k$i > /dev/null; done
      times > after; [[ $(tail -1 before) == $(tail -1 after) ]] && echo same
      for i in 1 2 3; do x=$(timmy-bb get k$i); echo $x; done`;
    const { exit, out } = await over(place, calls);
    expect([exit, out]).toEqual([0, "same\nv1\nv2\nv3\n"]);
  });

  test("standard input stays the caller's", async () => {
    const place = Workplace.memory();
    const loop = `printf '%s\\n' a b c > lines
      while read -r line; do timmy-bb set "$line" "of $line"; done < lines
      cat lines | while read -r line; do timmy-bb get "$line"; done`;
    expect(await over(place, loop)).toEqual(done("of a\nof b\nof c\n"));
  });

  test("the environment and the directory are those of the call", async () => {
    const place = Workplace.memory();
    const script = `timmy-bb set k mine
      TIMMY_BB_PREFIX=x timmy-bb set k of-x
      TIMMY_BB_PREFIX=x timmy-bb get k
      timmy-bb get k
      mkdir sub; printf 'blackboard:\\n  keyspace_prefix: x\\n' > sub/config.yaml
      (cd sub && timmy-bb get k)
      cd sub; timmy-bb get k; x=$(timmy-bb get k); echo $x
      rm config.yaml; timmy-bb get k
      TIMMY_BB_PREFIX=x; timmy-bb get k; export TIMMY_BB_PREFIX; timmy-bb get k`;
    expect(await over(place, script)).toEqual(done("of-x\nmine\nof-x\nof-x\nof-x\nmine\nmine\nof-x\n"));
  });

  test("what a shell can be set to makes no difference, and is left as it was", async () => {
    const place = Workplace.memory();
    const settings = shell === "bash" ? BASH_SETTINGS : ZSH_SETTINGS;
    const { exit, out } = await over(place, settings);
    expect([exit, out]).toEqual([0, "a b\nX\nx\nunchanged\n"]);
  });

  test("a reader who goes away ends nothing, and is no failure", async () => {
    const place = Workplace.memory();
    const script = `set -euo pipefail
      for i in {1..400}; do timmy-bb set "$i-a-key-of-some-length" v; done
      { timmy-bb keys; echo "keys: $?" >&2; timmy-bb set after done; } | :
      timmy-bb get after
      timmy-bb get after > /dev/full || echo "full: $?"`;
    const { exit, out, err } = await over(place, script);
    expect([exit, out]).toEqual([0, "done\nfull: 4\n"]);
    expect(err).toMatch(/^keys: 0\ntimmy-bb: cannot write the output/);
  });
});

/** Odd settings and a user's own things; then whether they are still there. */
const BASH_SETTINGS = `
  shopt -s extglob nullglob nocasematch failglob; set -C -f -o errtrace -o functrace
  IFS=0123456789oe; readonly IFS
  trap 'x=1' USR1; trap ': exit' EXIT; trap 'echo err' ERR
  REPLY=reply; MAPFILE=(map); coproc cat; sleep 30 & bg=$!
  printf() { :; }; read() { :; }
  state() { shopt; shopt -o; trap; echo "$REPLY \${MAPFILE[*]} $! $# $*"; }
  set -- one two
  before=$(state)
  timmy-bb set k 'a b'
  timmy-bb get k
  timmy-bb set K X; timmy-bb get K
  TIMMY_BB_PREFIX=X timmy-bb set k x; TIMMY_BB_PREFIX=x timmy-bb get k --default x
  [[ $(state) == "$before" ]] && echo unchanged
  kill "$bg"; exec {COPROC[1]}>&-; wait`;

const ZSH_SETTINGS = `
  setopt sh_word_split ksh_arrays no_clobber null_glob no_nomatch glob_subst err_return no_unset xtrace
  IFS=0123456789oe; readonly IFS
  trap 'x=1' USR1
  REPLY=reply; reply=(map); coproc cat; sleep 30 & bg=$!
  set -- one two
  state() { setopt; trap; echo "$REPLY $reply $! $# $*"; }
  before=$(state)
  timmy-bb set k 'a b'
  timmy-bb get k
  timmy-bb set K X; timmy-bb get K
  TIMMY_BB_PREFIX=X timmy-bb set k x; TIMMY_BB_PREFIX=x timmy-bb get k --default x
  [[ "$(state)" == "$before" ]] && echo unchanged
  kill "$bg"; true`;
