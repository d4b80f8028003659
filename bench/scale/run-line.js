// A line of a shell that asks a server much, and what that costs the one who waits for it, and the others.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { childEnv } from "../servers.js";

const ours = `${process.execPath} ${join(import.meta.dirname, "../../bin/timmy-bb.js")}`;

/** One process: until its end, its first output and its most memory, and how long another client had to wait meanwhile. */
export async function runLine(line, port, mayExit = [0]) {
  const probe = startProbe(port);
  const begun = performance.now();
  const child = spawn("/bin/bash", ["-c", inShell(line, port)], {
    env: environment(port),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const run = { wall: 0, first: 0, peak: 0, heldUp: 0 };
  child.stdout.once("data", () => {
    run.first = performance.now() - begun;
  });
  child.stdout.resume();
  const sampling = setInterval(() => {
    run.peak = Math.max(run.peak, peakOf(child.pid));
  }, 20);
  const code = await new Promise((resolve) => child.on("close", resolve));
  run.wall = (performance.now() - begun) / 1000;
  clearInterval(sampling);
  run.heldUp = probe.end();
  if (!mayExit.includes(code)) throw new Error(`${line} exited ${code}`);
  return run;
}

/** A single command takes the shell's place. */
function inShell(line, port) {
  const told = line.replaceAll("redis-cli", `redis-cli -p ${port}`).replaceAll("timmy-bb", ours);
  return line.includes("|") ? `set -o pipefail; ${told}` : `exec ${told}`;
}

function environment(port) {
  const url = `redis://127.0.0.1:${port}`;
  return { ...childEnv, TIMMY_BB_BACKEND: "redis", TIMMY_BB_URL: url };
}

/** Asks the server something small again and again; how long the longest answer took. */
function startProbe(port) {
  const other = connect(port, "127.0.0.1").setNoDelay();
  let [asked, longest] = [performance.now(), 0];
  const next = () => {
    asked = performance.now();
    other.write("PING\r\n");
  };
  other.on("connect", next);
  other.on("data", () => {
    longest = Math.max(longest, performance.now() - asked);
    setTimeout(next, 1);
  });
  return {
    end() {
      other.removeAllListeners("data").destroy();
      return longest;
    },
  };
}

/** Megabytes; 0: it has ended. */
function peakOf(pid) {
  try {
    return (
      (Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) * 1024) / 1e6
    );
  } catch {
    return 0;
  }
}
