/** Following channels across processes: order, loss, and who counts as a receiver. */
import { utimesSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { resourceCounts } from "../helpers/leaks.ts";
import type { Started } from "../helpers/processes.ts";
import { until, within } from "../helpers/until.ts";
import {
  all,
  bundleStore,
  bytes,
  channels,
  cleanUp,
  inProcess,
  LIVE,
  linesOf,
  newPath,
  open,
  query,
  removeBundle,
  succeed,
  take,
  texts,
  together,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

describe("followers in other processes", () => {
  const FOLLOW = `
    const follower = backend.follow({ channels: ["t:c"], patterns: [] }, LIVE);
    await follower.ready;
    say("ready");`;
  const ready = (child: Started) => until("it follows", () => linesOf(child).includes("ready"));

  test("get every message of two writers, each writer's in order, promptly", async () => {
    const path = newPath();
    const backend = await open(path);
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    const reader = inProcess(
      path,
      `${FOLLOW} let n = 0; for await (const { payload } of follower) { say(payload.toString()); if (++n === 2000) break; }`,
    );
    await ready(reader);
    const code = `for (let i = 0; i < 1000; i++) await backend.publish("t:c", bytes(process.pid + " " + i), "child");`;
    await succeed(await together(2, path, code));
    const here = (await take(follower[Symbol.asyncIterator](), 2000)).map(({ payload }) =>
      payload.toString(),
    );
    await succeed([reader]);
    expect(linesOf(reader).slice(-2000)).toEqual(here);
    const ofWriter = groupByWriter(here);
    expect(ofWriter.size).toBe(2);
    for (const lines of ofWriter.values()) {
      expect(lines.map((line) => Number(line.split(" ")[1]))).toEqual(
        Array.from({ length: 1000 }, (_, i) => i),
      );
    }
  });

  test("count as receivers while they run, and not once they were killed or closed", async () => {
    const path = newPath();
    const backend = await open(path);
    const killed = inProcess(path, `${FOLLOW} await new Promise(() => {});`);
    const closing = inProcess(path, `${FOLLOW} await told; await follower.close();`);
    await Promise.all([ready(killed), ready(closing)]);
    expect((await backend.publish("t:c", bytes("m"), "me")).receivers).toBe(2);
    expect((await backend.channels("t:c"))[0]?.followers).toBe(2);
    killed.process.kill("SIGKILL");
    await killed.ended;
    expect((await backend.channels("t:c"))[0]?.followers).toBe(1);
    expect((await backend.publish("t:c", bytes("m"), "me")).receivers).toBe(1);
    expect(query(path, "SELECT 1 FROM followers")).toHaveLength(1);
    closing.process.stdin?.write("go\n");
    await succeed([closing]);
    expect((await backend.publish("t:c", bytes("m"), "me")).receivers).toBe(0);
  });

  test("count while they are stopped, and then get what was sent meanwhile", async () => {
    const path = newPath();
    const backend = await open(path, { history: { messagesPerChannel: 2, changes: 2, maxAgeMs: 60_000 } });
    const child = inProcess(
      path,
      `${FOLLOW} let n = 0; for await (const { payload } of follower) { say(payload.toString()); if (++n === 50) break; }`,
    );
    await ready(child);
    child.process.kill("SIGSTOP");
    for (let i = 0; i < 50; i++) {
      expect((await backend.publish("t:c", bytes(String(i)), "me")).receivers).toBe(1);
    }
    child.process.kill("SIGCONT");
    await succeed([child]);
    expect(linesOf(child).slice(-50)).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
  });

  test("stop watching a file that changes all the time, and watch it again when it does not", async () => {
    const path = newPath();
    const backend = await open(path);
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    const items = follower[Symbol.asyncIterator]();
    const waiting = take(items, 2);
    // What a publisher at full speed causes, and a busy machine may not leave it the time for.
    await until("nothing is watched", () => {
      changeOften(path, 2000);
      return resourceCounts().watchers === 0;
    });
    await backend.publish("t:c", bytes("busy"), "me");
    await until("the file is watched", () => resourceCounts().watchers === 1);
    await backend.publish("t:c", bytes("quiet"), "me");
    expect(texts(await within("both, sooner than by the slow poll", waiting, 900))).toEqual([
      "busy",
      "quiet",
    ]);
  });

  test("whose process cannot be seen from here count by their last sign of life", async () => {
    const path = newPath();
    const backend = await open(path);
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    query(path, "UPDATE followers SET scene = 'another machine', beat = ?", Date.now() - 20_000);
    expect((await backend.publish("t:c", bytes("m"), "me")).receivers).toBe(1);
    query(path, "UPDATE followers SET beat = ?", Date.now() - 31_000);
    expect((await backend.publish("t:c", bytes("m"), "me")).receivers).toBe(0);
    await follower.close();
    expect(await all(follower)).toHaveLength(2);
  });

  test("whose process id came back as another process do not count", async () => {
    const path = newPath();
    const backend = await open(path);
    const other = inProcess(path, `${FOLLOW} await told; await follower.close();`);
    await ready(other);
    query(path, "UPDATE followers SET started = '1'");
    expect((await backend.publish("t:c", bytes("m"), "me")).receivers).toBe(0);
    other.process.stdin?.write("go\n");
    await succeed([other]);
  });
});

/** Two files in turn, for the system reports a run of equal changes only once. */
function changeOften(path: string, times: number): void {
  for (let i = 0; i < times; i++) {
    utimesSync(path, new Date(), new Date());
    utimesSync(`${path}-wal`, new Date(), new Date());
  }
}

/** `Map.groupBy` needs Node 21. */
function groupByWriter(lines: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const line of lines) {
    const writer = line.split(" ")[0] ?? "";
    groups.set(writer, [...(groups.get(writer) ?? []), line]);
  }
  return groups;
}
