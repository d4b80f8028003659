// A loop of sets in a shell script, whole process: through the function of `shell-init`, beside the same loop forking redis-cli,
// and forking the program itself.
//   npm run bench -- shell             SETS, ROUNDS: how many, how often
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, timeInTurn } from "./measure.js";
import { report } from "./report.js";
import { isInstalled, startRedis } from "./servers.js";

const SETS = Number(process.env.SETS ?? 1500);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
/** The program itself takes so long that a share of them tells as much. */
const FORKED_SETS = Math.ceil(SETS / 10);
const REDIS_CLI = "`redis-cli set`, forked";

const program = `'${process.execPath}' '${join(import.meta.dirname, "../bin/timmy-bb.js")}'`;
const executable = join(import.meta.dirname, "../dist/timmy-bb");
const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
const redis = await startRedis(dir);
try {
  process.chdir(dir); // no config.yaml is found, as in a script's own directory
  const subjects = [
    ...functions("bash", program, ""),
    ...(existsSync(executable) ? functions("bash", `'${executable}'`, " of the executable") : []),
    ...(isInstalled("zsh", "apt-get install zsh (the bench goes on without)")
      ? functions("zsh", program, "")
      : []),
    forking(REDIS_CLI, `redis-cli -p ${redis.port}`, "redis", SETS),
    ...["memory", "redis"].map((store) =>
      forking(`\`timmy-bb set\` on Node, forked, ${store}`, program, store, FORKED_SETS),
    ),
    ...(existsSync(executable)
      ? [forking("`timmy-bb set`, the executable, forked, redis", `'${executable}'`, "redis", FORKED_SETS)]
      : []),
  ];
  reportCalls(subjects, await timeInTurn(subjects, ROUNDS, 0));
} finally {
  redis.stop();
  process.chdir("/");
  rmSync(dir, { recursive: true, force: true });
}

/** What the function needs to start is in the time, too. */
function functions(shell, command, whose) {
  return ["memory", "redis"].map((store) => {
    const name = `the function${whose} in ${shell}, ${store}`;
    return looping(name, shell, `eval "$(${command} shell-init ${shell})"`, "timmy-bb", store, SETS);
  });
}

function forking(name, command, store, sets) {
  return looping(name, "bash", ":", command, store, sets);
}

function looping(name, shell, before, command, store, sets) {
  const loop = `for ((n = 0; n < ${sets}; n++)); do ${command} set "k$n" "value $n" > /dev/null; done`;
  const url = `redis://127.0.0.1:${redis.port}`;
  const env = { TIMMY_BB_BACKEND: store, TIMMY_BB_DATA_DIR: dir, TIMMY_BB_URL: url };
  return { name, command: shell, args: ["-c", `set -eu; ${before}; ${loop}`], env, sets };
}

function reportCalls(subjects, times) {
  const calls = new Map(subjects.map(({ name, sets }) => [name, times.get(name).map((time) => time / sets)]));
  report({
    name: "shell",
    title: "A loop of sets in a shell script",
    command: "npm run bench -- shell",
    settings: `${SETS.toLocaleString("en-US")} sets (${FORKED_SETS} where the program is forked), medians of ${ROUNDS} interleaved rounds`,
    columns: [
      { id: "call", head: "a call", unit: "ms" },
      { id: "redis-cli", head: "forking `redis-cli` ÷ this" },
    ],
    rows: [...calls].map(([name, some]) => {
      const ratios = some.map((time, round) => calls.get(REDIS_CLI)[round] / time);
      return { name, call: median(some), "redis-cli": median(ratios) };
    }),
    peers: ["bash", "zsh", "redis-server"],
  });
}
