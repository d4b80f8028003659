// One `get`, whole process: on each store, beside an empty node script and `redis-cli get`, in one run.
//   npm run bench -- get
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { printTable, timeInTurn } from "./measure.js";

const ROUNDS = Number(process.env.ROUNDS ?? 25);
const bin = join(import.meta.dirname, "../bin/timmy-bb.js");
const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
const socket = join(dir, "redis.sock");
const server = spawn("redis-server", ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir], {
  stdio: "ignore",
});

try {
  await answering();
  writeFileSync(join(dir, "empty.js"), "");
  const stores = {
    memory: { TIMMY_BB_BACKEND: "memory", TIMMY_BB_DATA_DIR: dir },
    redis: { TIMMY_BB_BACKEND: "redis", TIMMY_BB_URL: `unix://${socket}` },
  };
  for (const env of Object.values(stores)) run(["set", "k", "v", "--no-ttl"], env);
  const get = (name) => ({
    name: `timmy-bb get (${name})`,
    command: process.execPath,
    args: [bin, "get", "k"],
    env: stores[name],
  });
  const subjects = [
    { name: "node", command: process.execPath, args: [join(dir, "empty.js")] },
    { name: "redis-cli", command: "redis-cli", args: ["-s", socket, "get", "timmy:k"] },
    get("memory"),
    get("redis"),
  ];
  console.log(
    `one get, ${ROUNDS} rounds, node ${process.versions.node}, ${process.platform} ${process.arch}`,
  );
  // From the directory of the board: no config.yaml is found, as in a script's own directory.
  process.chdir(dir);
  printTable(await timeInTurn(subjects, ROUNDS), ["node", "redis-cli"]);
} finally {
  server.kill();
  process.chdir("/");
  rmSync(dir, { recursive: true, force: true });
}

function run(args, env) {
  const { status, stderr } = spawnSync(process.execPath, [bin, ...args], {
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
}

async function answering() {
  const until = Date.now() + 10_000;
  while (spawnSync("redis-cli", ["-s", socket, "ping"]).stdout?.toString() !== "PONG\n") {
    if (Date.now() > until) throw new Error("redis-server does not answer (is it installed?)");
  }
}
