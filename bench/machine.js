// Where a bench ran, and beside what.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { childEnv } from "./servers.js";

/** What each program is asked for its version. */
const ASKED = {
  bash: "--version",
  etcd: "--version",
  flock: "--version",
  mosquitto: "-h",
  "redis-server": "--version",
  zsh: "--version",
};

export function machine() {
  const kernel = release().split(".").slice(0, 2).join(".");
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${distribution()}, Linux ${kernel}`,
  };
}

function distribution() {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  } catch {
    return process.platform; // only Linux has the file
  }
}

/** By name; a program that is not there has none. */
export function versionsOf(programs) {
  const found = programs.map((name) => [name, versionOf(name)]);
  return { node: process.versions.node, ...Object.fromEntries(found.filter(([, version]) => version)) };
}

function versionOf(program) {
  const { stdout } = spawnSync(program, [ASKED[program]], { env: childEnv, encoding: "utf8" });
  return /\d+(\.\d+)+/.exec(stdout ?? "")?.[0];
}
