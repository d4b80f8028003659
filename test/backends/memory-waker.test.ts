/** How often who waits for a change of the file is woken while it changes all the time. */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { Waker, type WakerOptions } from "../../src/backends/memory/waker.ts";
import { removeTempDirs, tempDir } from "../helpers/temp.ts";

afterEach(removeTempDirs);

/** How often it is woken in a second in which the file changes all the time. */
async function wakesOf(options: WakerOptions): Promise<number> {
  const path = `${tempDir("waker")}/board.db`;
  let wakes = 0;
  const waker = new Waker(path, { ...options, companion: { wake: () => void wakes++, stop: () => {} } });
  const change = () => appendFileSync(`${path}-wal`, "x");
  for (let i = 0; i < 1500; i++) {
    change();
    appendFileSync(path, "x"); // two reports of the same that follow each other would be one
  }
  await sleep(100);
  wakes = 0;
  const end = performance.now() + 1000;
  while (performance.now() < end) {
    change();
    await sleep(5);
  }
  waker.stop();
  return wakes;
}

test("is as often as it asks for", async () => {
  expect(await wakesOf({ busyPollMs: 20 })).toBeLessThan(60);
  expect(await wakesOf({})).toBeGreaterThan(100);
});
