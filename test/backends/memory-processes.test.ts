/** What the memory store promises to several processes at once, with real ones. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { collect } from "../../src/core/collect.ts";
import type { Started } from "../helpers/processes.ts";
import { until } from "../helpers/until.ts";
import {
  bundleStore,
  bytes,
  channels,
  cleanUp,
  inProcess,
  linesOf,
  NO_STATE,
  newPath,
  open,
  plain,
  query,
  removeBundle,
  take,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

/** Several processes with the same code, held at a line until all are there. */
async function together(count: number, path: string, code: string): Promise<Started[]> {
  const children = Array.from({ length: count }, () => inProcess(path, `say("here"); await told; ${code}`));
  await until("all processes run", () => children.every((child) => linesOf(child).includes("here")), 20_000);
  for (const child of children) child.process.stdin?.write("go\n");
  return children;
}

async function succeed(children: readonly Started[]): Promise<void> {
  for (const child of children) expect(await child.ended).toMatchObject({ exitCode: 0, stderr: "" });
}

describe("opening", () => {
  test("120 times at once for the first time works every time", async () => {
    const path = newPath();
    const there = newPath(); // the children wait on a board of their own
    const code = `
      const first = { ...options, path: ${JSON.stringify(path)} };
      const all = await Promise.all(Array.from({ length: 15 }, () => openMemory(first)));
      for (const one of all) await one.incr("t:n", 1n, "child");
      for (const one of all) await one.close();`;
    await succeed(await together(8, there, code));
    expect(await (await open(path)).get("t:n")).toEqual(bytes("120"));
  });
});

describe("several writers", () => {
  test("add to one number without losing any", async () => {
    const path = newPath();
    await succeed(
      await together(8, path, `for (let i = 0; i < 150; i++) await backend.incr("t:n", 1n, "child");`),
    );
    expect(await (await open(path)).get("t:n")).toEqual(bytes("1200"));
  });

  test("that all want a key that is absent: one gets it, and all know who", async () => {
    const path = newPath();
    const code = `
      for (let i = 0; i < 50; i++) {
        const result = await backend.set("t:k" + i, bytes(String(process.pid)), { ...PLAIN, condition: { if: "absent" } });
        if (result.written) say("won " + i);
      }`;
    const children = await together(6, path, code);
    await succeed(children);
    const won = children.flatMap(linesOf).filter((line) => line.startsWith("won "));
    expect(won.sort()).toEqual(Array.from({ length: 50 }, (_, i) => `won ${i}`).sort());
  });

  test("that read, add and write if nothing changed lose no update", async () => {
    const path = newPath();
    const code = `
      for (let done = 0; done < 40; ) {
        const now = await backend.get("t:n");
        const condition = now === null ? { if: "absent" } : { if: "value", value: now };
        const result = await backend.set("t:n", bytes(String(Number(now ?? 0) + 1)), { ...PLAIN, condition });
        if (result.written) done++;
      }`;
    await succeed(await together(4, path, code));
    expect(await (await open(path)).get("t:n")).toEqual(bytes("160"));
  });

  test("log everything in one strict order", async () => {
    const path = newPath();
    const code = `
      for (let i = 0; i < 60; i++) {
        await backend.publish("t:c", bytes(i), "child");
        await backend.set("t:k" + (i % 3), bytes(i), PLAIN);
      }`;
    await succeed(await together(4, path, code.replaceAll("bytes(i)", "bytes(String(i))")));
    const rows = query(
      path,
      "SELECT kind, count(*) AS count, count(DISTINCT n) AS ids FROM log GROUP BY kind ORDER BY 1",
    );
    expect(rows).toEqual([
      { kind: "message", count: 240, ids: 240 },
      { kind: "set", count: 240, ids: 240 },
    ]);
  });
});

describe("kill -9", () => {
  test("in the middle of writing loses no write that was answered, and leaves the file sound", async () => {
    const path = newPath();
    const code = `for (let i = 0; ; i++) { await backend.set("t:k" + i, Buffer.alloc(3000, 1), PLAIN); say(String(i)); }`;
    for (let round = 0; round < 3; round++) {
      const child = inProcess(path, code);
      await until("it has written much", () => linesOf(child).length > 400);
      child.process.kill("SIGKILL");
      expect((await child.ended).signal).toBe("SIGKILL");
      const answered = linesOf(child);
      const backend = await open(path);
      expect(await backend.exists(answered.map((i) => `t:k${i}`))).toBe(answered.length);
      expect(query(path, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
    }
  });
});

describe("followers in other processes", () => {
  const FOLLOW = `
    const follower = backend.follow({ channels: ["t:c"], patterns: [] }, { onState() {} });
    await follower.ready;
    say("ready");`;
  const ready = (child: Started) => until("it follows", () => linesOf(child).includes("ready"));

  test("get every message of two writers, each writer's in order, promptly", async () => {
    const path = newPath();
    const backend = await open(path);
    const follower = backend.follow(channels("t:c"), NO_STATE);
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

  test("whose process cannot be seen from here count by their last sign of life", async () => {
    const path = newPath();
    const backend = await open(path);
    const follower = backend.follow(channels("t:c"), NO_STATE);
    await follower.ready;
    query(path, "UPDATE followers SET scene = 'another machine', beat = ?", Date.now() - 20_000);
    expect((await backend.publish("t:c", bytes("m"), "me")).receivers).toBe(1);
    query(path, "UPDATE followers SET beat = ?", Date.now() - 31_000);
    expect((await backend.publish("t:c", bytes("m"), "me")).receivers).toBe(0);
    await follower.close();
    expect(await collect(follower)).toHaveLength(2);
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

describe("a board file that another process holds", () => {
  test("is an error at the end of the timeout, for a write, not for a read; later it works", async () => {
    const path = newPath();
    const backend = await open(path, { timeoutMs: 300 });
    await backend.set("t:k", bytes("v"), plain());
    const driver = JSON.stringify(import.meta.resolve("@photostructure/sqlite"));
    const holder = inProcess(
      newPath(),
      `const { DatabaseSync } = await import(${driver});
       const held = new DatabaseSync(${JSON.stringify(path)});
       held.exec("BEGIN IMMEDIATE"); say("held"); await told; held.exec("COMMIT"); held.close();`,
    );
    await until("it holds the file", () => linesOf(holder).includes("held"));
    const start = performance.now();
    const error = {
      kind: "unavailable",
      message: expect.stringContaining("locked by another process for over 0.3s"),
    };
    await expect(backend.set("t:k", bytes("w"), plain())).rejects.toMatchObject(error);
    expect(performance.now() - start).toBeLessThan(1500);
    await expect(backend.publish("t:c", bytes("m"), "me")).rejects.toMatchObject({ kind: "unavailable" });
    expect(await backend.get("t:k")).toEqual(bytes("v"));
    await (await open(path, { timeoutMs: 300 })).close();
    holder.process.stdin?.write("go\n");
    await succeed([holder]);
    expect(await backend.set("t:k", bytes("w"), plain())).toMatchObject({ written: true });
  });
});

/** `Map.groupBy` needs Node 21. */
function groupByWriter(lines: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const line of lines) {
    const writer = line.split(" ")[0] ?? "";
    groups.set(writer, [...(groups.get(writer) ?? []), line]);
  }
  return groups;
}
