/** Whether a process that registered a follower still runs. */
import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { isRunning, thisProcess } from "../../src/backends/memory/liveness.ts";
import { killProcesses, start } from "../helpers/processes.ts";
import { removeTempDirs, tempDir } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";

afterEach(() => {
  killProcesses();
  removeTempDirs();
});

test("a process that is dead counts as dead soon, though its parent takes no notice and its id stays in use", async () => {
  const env = { PATH: process.env.PATH ?? "" };
  // What the shell turns into knows nothing of its child.
  const parent = start("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"], { env, cwd: tempDir("liveness") });
  const pid = Number(await until("it says its child's id", () => parent.stdout().toString().trim()));
  const stat = () => readFileSync(`/proc/${pid}/stat`, "latin1").split(" ");
  const owner = { ...thisProcess(), pid, started: stat()[21] ?? "" };
  expect(isRunning(owner)).toBe(true);
  process.kill(pid, "SIGKILL");
  await until("it is found dead", () => isRunning(owner) === false, 1000);
  expect(stat()[2]).toBe("Z");
});

test("a process with the id of another, or in another place, is not taken for it", async () => {
  const self = thisProcess();
  expect(isRunning(self)).toBe(true);
  expect(isRunning({ ...self, started: "1" })).toBe(false);
  expect(isRunning({ ...self, pid: process.ppid })).toBe(false);
  expect(isRunning({ ...self, pid: 2 ** 22 + 1 })).toBe(false); // beyond the greatest there can be
  expect(isRunning({ ...self, scene: "elsewhere" })).toBeUndefined();
});
