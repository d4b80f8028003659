/** Taking the oldest key from a board file. */
import { DatabaseSync } from "@photostructure/sqlite";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../../src/core/backend.ts";
import type { KeySelection } from "../../src/core/types.ts";
import { until } from "../helpers/until.ts";
import {
  bundleStore,
  bytes,
  cleanUp,
  keys,
  kindsOf,
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

const like = (...patterns: string[]): KeySelection => ({ keys: [], patterns });

async function put(backend: Backend, ...names: string[]): Promise<void> {
  for (const name of names) await backend.set(name, bytes(`value of ${name}`), plain());
}

/** What is taken until nothing is left. */
async function takeAll(backend: Backend, selection: KeySelection): Promise<string[]> {
  const taken: string[] = [];
  for (;;) {
    const one = await backend.take(selection, "taker");
    if (one === null) return taken;
    taken.push(one.key);
  }
}

/** So many keys, as old as each other's order, written as another program would. */
function fill(path: string, count: number, name: string): void {
  const connection = new DatabaseSync(path, { timeout: 5000 });
  connection
    .prepare(`WITH RECURSIVE i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < ?1)
      INSERT INTO entries (name, author, board, first, last, value)
      SELECT CAST(?2 || n AS BLOB), 'filler', 't', (SELECT coalesce(max(first), 0) FROM entries) + n, 1, x'76' FROM i`)
    .run(count, name);
  connection.close();
}

describe("take", () => {
  test("goes by when a key came to be, not by its name nor by who has written it since", async () => {
    const backend = await open(newPath());
    await put(backend, "t:c", "t:a", "t:b", "t:d");
    await put(backend, "t:c"); // as old as before
    await backend.del(["t:a"], { agent: "me" });
    await put(backend, "t:a"); // the youngest
    expect(await takeAll(backend, like("t:*"))).toEqual(["t:c", "t:b", "t:d", "t:a"]);
  });

  test("tells all about the key, which is gone, and logs it as deleted by the taker", async () => {
    const path = newPath();
    const backend = await open(path);
    await backend.set("t:k", Buffer.alloc(0), plain({ agent: "ann", ttlMs: 60_000 }));
    const [facts] = await backend.describe(["t:k"]);
    const taken = await backend.take(like("t:*"), "taker");
    const times = { ageMs: expect.any(Number), ttlMs: expect.any(Number) };
    expect(taken).toEqual({ ...facts, ...times, key: "t:k", by: "ann", size: 0, value: Buffer.alloc(0) });
    expect(await backend.get("t:k")).toBeNull();
    expect(await backend.take(like("t:*"), "taker")).toBeNull();
    expect(query(path, "SELECT kind, author FROM log ORDER BY n")).toEqual([
      { kind: "set", author: "ann" },
      { kind: "del", author: "taker" },
    ]);
  });

  test("takes exact names, patterns, and both; never an expired key, never one of another prefix", async () => {
    const path = newPath();
    const [backend, other] = [await open(path), await open(path, { prefix: "u" })];
    await put(other, "u:a1");
    await backend.set("t:a0", bytes("v"), plain({ ttlMs: 1 }));
    await until("it is expired", async () => (await backend.get("t:a0")) === null);
    await put(backend, "t:a1", "t:b1", "t:a2", "t:[a]*", "t:c");
    expect(await takeAll(backend, keys("t:c", "t:[a]*", "t:none", "t:c", "t:a0"))).toEqual(["t:[a]*", "t:c"]);
    expect(await takeAll(backend, { keys: ["t:b1"], patterns: ["t:a[12]", "t:a*"] })).toEqual([
      "t:a1",
      "t:b1",
      "t:a2",
    ]);
    expect(kindsOf(path, "t:a0")).toEqual(["set", "expired"]);
    expect(await other.exists(["u:a1"])).toBe(1);
  });

  test("looks again if others are faster: what was made anew meanwhile is younger, and what is there all the time is found", async () => {
    const path = newPath();
    const [backend, other] = [await open(path), await open(path)];
    await put(backend, "t:a", "t:b");
    const oldest = backend.take(like("t:*"), "taker"); // by now it has read, and not written
    await Promise.all([other.del(["t:a"], { agent: "other" }), put(other, "t:a")]);
    expect(await oldest).toMatchObject({ key: "t:b" });
    const any = backend.take(like("t:*"), "taker");
    await Promise.all([put(other, "t:c"), other.del(["t:a"], { agent: "other" })]);
    expect(await any).toMatchObject({ key: "t:c" });
  });

  test("finds few among many older ones, and many", async () => {
    const path = newPath();
    const backend = await open(path);
    fill(path, 5000, "t:old");
    fill(path, 8000, "t:job:");
    await put(backend, "t:few:2", "t:few:1");
    expect(await takeAll(backend, like("t:few:*"))).toEqual(["t:few:2", "t:few:1"]);
    expect(await backend.take(like("t:job:*"), "taker")).toMatchObject({ key: "t:job:1" });
    expect(await backend.take(like("t:*7999"), "taker")).toMatchObject({ key: "t:job:7999" });
    expect(await backend.take(like("t:*none"), "taker")).toBeNull();
    expect(await backend.exists(["t:job:2", "t:old1"])).toBe(2);
  });
});

test("eight processes take two hundred keys: each goes to one of them, the oldest first", async () => {
  const path = newPath();
  const backend = await open(path);
  const names = Array.from({ length: 200 }, (_, i) => `t:job:${i}`);
  await put(backend, ...names);
  const code = `
    for (;;) {
      const taken = await backend.take({ keys: [], patterns: ["t:job:*"] }, "taker");
      if (taken === null) break;
      say("took " + taken.value.toString().slice("value of t:job:".length));
      await new Promise((resolve) => setImmediate(resolve));
    }`;
  const children = await together(8, path, code);
  await succeed(children);
  const took = children.flatMap(linesOf).filter((text) => text.startsWith("took "));
  expect(took.sort()).toEqual(names.map((_, i) => `took ${i}`).sort());
  const deleted = query(path, "SELECT CAST(name AS TEXT) AS name FROM log WHERE kind = 'del' ORDER BY n");
  expect(deleted.map(({ name }) => name)).toEqual(names);
});

test("a key that comes and goes all the time is never missed by who takes it", async () => {
  const path = newPath();
  const backend = await open(path);
  const rounds = 200;
  const code = `
    for (let taken = 0; taken < ${rounds}; ) {
      if ((await backend.take({ keys: ["t:k"], patterns: [] }, "taker")) === null) continue;
      taken++;
      await backend.publish("t:taken", bytes("yes"), "taker");
    }`;
  const [child] = await together(1, path, code);
  for (let round = 1; round <= rounds; round++) {
    await put(backend, "t:k");
    await until("it is taken", () => backend.exists(["t:k"]).then((count) => count === 0));
  }
  await succeed(child ? [child] : []);
  expect((await backend.channels("t:taken"))[0]?.messages).toBe(rounds);
});
