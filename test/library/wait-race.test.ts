/** `wait` never misses a change that lands between its look and its sleep: another process makes it at about that moment. */
import { afterEach, describe, expect, test } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { LIBRARY } from "../helpers/library.ts";
import { killProcesses, start } from "../helpers/processes.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { scaled } from "../helpers/scale.ts";
import { Workplace } from "../helpers/workplace.ts";

const ROUNDS = scaled(1000, 2000);
/** Sets one key after the other, with random pauses of a few hundred microseconds, and none ahead of what is waited for. */
const WRITER = `
const { openBlackboard } = await import(process.argv[1]);
const board = await openBlackboard();
process.stdin.setEncoding("utf8");
for await (const lines of process.stdin) {
  for (const key of lines.trim().split("\\n")) {
    const until = performance.now() + Math.random() * 1.5;
    while (performance.now() < until);
    await board.set(key, "v");
  }
}
await board.close();`;

let server: RedisServer;
withServer((started) => {
  server = started;
});
afterEach(killProcesses);

const STORES: ReadonlyArray<readonly ["memory" | "redis", () => Workplace]> = [
  ["memory", () => Workplace.memory()],
  ["redis", () => Workplace.redis(server)],
];

describe.each(STORES)("on %s", (_store, makePlace) => {
  test(`${ROUNDS} changes by another process around the beginning of a wait`, async () => {
    const place = makePlace();
    await using board = await place.openBoard();
    const args = ["--input-type=module", "-e", WRITER, LIBRARY];
    const writer = start(process.execPath, args, { env: place.shellEnv(), cwd: place.dir, input: "open" });
    for (let round = 0; round < ROUNDS; round++) {
      writer.process.stdin?.write(`key:${round}\n`);
      const found = await board.wait(`key:${round}`, { timeoutMs: 10_000 });
      expect(found).toHaveLength(1);
    }
    writer.process.stdin?.end();
    expect((await writer.ended).exitCode).toBe(0);
  });
});
