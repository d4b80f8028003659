/** What the memory store promises to several processes at once, with real ones. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Started } from "../helpers/processes.ts";
import { until } from "../helpers/until.ts";
import {
  bundleStore,
  bytes,
  cleanUp,
  inProcess,
  linesOf,
  newPath,
  open,
  plain,
  query,
  removeBundle,
  succeed,
  together,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

/** A process that says "held" once it has run statements on the file, and commits when told. */
function holdOpen(path: string, sql: string): Started {
  const driver = JSON.stringify(import.meta.resolve("@photostructure/sqlite"));
  return inProcess(
    newPath(),
    `const { DatabaseSync } = await import(${driver});
     const held = new DatabaseSync(${JSON.stringify(path)}, { timeout: 5000 });
     for (const sql of ${JSON.stringify(sql)}.split("; ")) held.prepare(sql).all();
     say("held"); await told; held.exec("COMMIT"); held.close();`,
  );
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

describe("opening while another process writes to a file that is not in WAL mode yet", () => {
  test("waits, although SQLite's own waiting does not cover it", async () => {
    const path = newPath();
    await inProcess(path, "").ended;
    query(path, "PRAGMA journal_mode = DELETE");
    const holder = holdOpen(path, "BEGIN IMMEDIATE");
    await until("it writes", () => linesOf(holder).includes("held"));
    const opening = open(path);
    await new Promise((resolve) => setImmediate(resolve)); // by then the first try has failed
    holder.process.stdin?.write("go\n");
    expect(await (await opening).set("t:k", bytes("v"), plain())).toMatchObject({ written: true });
    await succeed([holder]);
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

describe("a board file that another process holds", () => {
  test("is an error at the end of the timeout, for a write, not for a read; later it works", async () => {
    const path = newPath();
    const backend = await open(path, { timeoutMs: 300 });
    await backend.set("t:k", bytes("v"), plain());
    const holder = holdOpen(path, "BEGIN IMMEDIATE");
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
