/** Whether a process has dealt with everything it was told: no signal is pending, and it sleeps. As proc(5) shows it. */
import { readFileSync } from "node:fs";
import { until } from "./until.ts";

export async function untilIdle(pid: number): Promise<void> {
  await until("a process with nothing to do", () => {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return /^State:\s+S/m.test(status) && /^ShdPnd:\s+0+$/m.test(status);
  });
}
