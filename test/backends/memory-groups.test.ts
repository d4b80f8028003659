/** What is asked for in one go is written in one go; it must not show but in speed. */
import { statSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { COUNT, NAMES } from "../../src/backends/memory/listing.ts";
import type { Backend } from "../../src/core/backend.ts";
import { idToNumber } from "../../src/core/ids.ts";
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
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

/** What an operation comes to, but for its time. */
type Step = (backend: Backend) => Promise<unknown>;

/** Always the same steps for the same seed: sets of few keys and messages, and among them what has to be done alone. */
function program(seed: number, length: number): readonly Step[] {
  let state = seed;
  const random = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  return Array.from({ length }, (_, i) => {
    const key = `t:k${random(4)}`;
    const agent = `agent${random(2)}`;
    const value = [bytes(`v${i}`), Buffer.alloc(0), Buffer.alloc(70_000, i), Buffer.from([0, 255, i % 256])][
      random(4)
    ] as Buffer;
    const kind = random(24);
    if (kind < 10) {
      const ttlMs = [null, 60_000, "keep" as const][random(8)] ?? null;
      return async (backend) => (await backend.set(key, value, plain({ ttlMs, agent }))).written;
    }
    if (kind < 18) {
      return async (backend) => (await backend.publish(`t:c${random(2)}`, value, agent)).receivers;
    }
    const alone: readonly Step[] = [
      (backend) => backend.get(key),
      (backend) => backend.del([key, "t:k0"], { agent }),
      (backend) => backend.exists([key, "t:k1"]),
      async (backend) => typeof (await backend.ttl(key)),
      (backend) => backend.expire(key, 90_000),
      async (backend) =>
        (await backend.set(key, value, plain({ agent, condition: { if: "absent" } }))).written,
    ];
    return alone[kind - 18] as Step;
  });
}

/** All that the file holds, but for numbers and times. */
function contentOf(path: string) {
  return {
    log: query(
      path,
      `SELECT kind, author, size, name, failure, channel, length(data) AS length, substr(data, 1, 9) AS data
        FROM log JOIN streams ON id = stream ORDER BY n`,
    ),
    entries: query(
      path,
      `SELECT name, author, board, length(value) AS length, substr(value, 1, 9) AS value, expires_at IS NULL AS for_ever,
        (SELECT count(*) FROM log WHERE n < first) AS first, (SELECT count(*) FROM log WHERE n < last) AS last
        FROM entries ORDER BY name`,
    ),
    streams: query(path, "SELECT board, channel, kept, dropped FROM streams ORDER BY channel"),
  };
}

describe("what is asked for in one go", () => {
  test("comes to the same as one after the other, whatever it is", async () => {
    for (const seed of [1, 2]) {
      const [together, apart] = [newPath(), newPath()];
      const atOnce = await open(together);
      const results = await Promise.all(program(seed, 300).map((step) => step(atOnce)));
      const oneByOne = await open(apart);
      const expected: unknown[] = [];
      for (const step of program(seed, 300)) expected.push(await step(oneByOne));
      expect(results).toEqual(expected);
      expect(contentOf(together)).toEqual(contentOf(apart));
    }
  });

  test("has each its own entry, in order, and is written over what has expired only after that is logged", async () => {
    const path = newPath();
    const backend = await open(path);
    const old = Array.from({ length: 250 }, (_, i) => `t:k${i}`);
    await Promise.all(old.map((name) => backend.set(name, bytes("old"), plain({ ttlMs: 1 }))));
    await until("they have expired", async () => (await backend.exists(old)) === 0);
    const set = await Promise.all(old.map((name) => backend.set(name, bytes("new"), plain())));
    const rows = query(path, "SELECT n, CAST(name AS TEXT) AS name, kind FROM log ORDER BY n").slice(250);
    const sets = rows.filter(({ kind }) => kind === "set");
    expect(sets.map(({ name }) => name)).toEqual(old);
    expect(sets.map(({ n }) => n)).toEqual(set.map((one) => idToNumber("id" in one ? one.id : "")));
    for (const name of old) {
      expect(rows.filter((row) => row.name === name).map(({ kind }) => kind)).toEqual(["expired", "set"]);
    }
  });

  test("fails exactly as far as it was not written", async () => {
    const path = newPath();
    const backend = await open(path);
    query(
      path,
      "CREATE TRIGGER no BEFORE INSERT ON entries WHEN new.value = x'62' BEGIN SELECT raise(ABORT, 'no'); END",
    );
    const values = Array.from({ length: 2500 }, (_, i) => (i === 1500 ? "b" : "a"));
    const outcomes = await Promise.allSettled(
      values.map((value, i) => backend.set(`t:k${i}`, bytes(value), plain())),
    );
    const written = await Promise.all(values.map((_, i) => backend.get(`t:k${i}`)));
    expect(outcomes.map(({ status }) => status === "fulfilled")).toEqual(
      written.map((value) => value !== null),
    );
    expect(written.filter((value) => value !== null)).toHaveLength(1500);
    expect(query(path, "SELECT count(*) AS count FROM log")).toEqual([{ count: 1500 }]);
  });

  test("is there as far as it was answered when the process is killed, and of each transaction all or nothing", async () => {
    const path = newPath();
    const child = inProcess(
      path,
      `for (let i = 0; ; i += 1500) {
        const sets = Array.from({ length: 1500 }, (_, j) => backend.set("t:k" + (i + j), Buffer.alloc(100), PLAIN));
        sets.forEach((set, j) => j % 500 === 499 && set.then(() => say(String(i + j))));
        await Promise.all(sets);
      }`,
    );
    await until("it has written much", () => linesOf(child).length > 60);
    child.process.kill("SIGKILL");
    await child.ended;
    const answered = Number(linesOf(child).at(-1));
    const backend = await open(path);
    const found: string[] = [];
    for await (const batch of backend.keys("t:*")) found.push(...batch);
    expect(found.length).toBeGreaterThan(answered);
    expect(found.length % 500).toBe(0);
    expect(await backend.exists(Array.from({ length: found.length }, (_, i) => `t:k${i}`))).toBe(
      found.length,
    );
    expect(query(path, "SELECT max(last) AS last FROM entries")).toEqual(
      query(path, "SELECT max(n) AS last FROM log"),
    );
    expect(query(path, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  });

  test("leaves no more in the log than retention keeps, and all of it to who follows", async () => {
    const path = newPath();
    const history = { messagesPerChannel: 100, changes: 200, maxAgeMs: 60_000 };
    const backend = await open(path, { history });
    const follower = backend.follow(
      { channels: ["t:c"], patterns: [] },
      { onState: () => {}, from: null, live: true },
    );
    await follower.ready;
    const sent = Array.from({ length: 3000 }, (_, i) => backend.publish("t:c", bytes(String(i)), "me"));
    await Promise.all(Array.from({ length: 3000 }, (_, i) => backend.set(`t:k${i}`, bytes("v"), plain())));
    expect((await Promise.all(sent)).every(({ receivers }) => receivers === 1)).toBe(true);
    const texts: string[] = [];
    for await (const item of follower) {
      texts.push("gap" in item ? "gap" : item.payload.toString());
      if (texts.length === 3000) break;
    }
    expect(texts).toEqual(Array.from({ length: 3000 }, (_, i) => String(i)));
    await backend.set("t:k", bytes("v"), plain());
    const [changes] = query(path, "SELECT count(*) AS count FROM log WHERE kind = 'set'");
    expect(changes?.count).toBeLessThan(200 + 50);
  });
});

test("keys with a short time to live, written in groups, do not pile up", async () => {
  const path = newPath();
  const backend = await open(path);
  const inGroups = (from: number) =>
    Array.from({ length: 1000 }, (_, i) => backend.set(`t:${from + i}`, bytes("v"), plain({ ttlMs: 1 })));
  for (let group = 0; group < 40; group++) await Promise.all(inGroups(group * 1000));
  const rows = () => Number(query(path, "SELECT count(*) AS count FROM entries")[0]?.count);
  expect(rows()).toBeLessThan(5000);
  await until("they have expired", async () => (await backend.exists(["t:39999"])) === 0);
  await Promise.all(inGroups(0));
  await backend.set("t:k", bytes("v"), plain());
  expect(rows()).toBeLessThan(2500);
  const logged = query(path, "SELECT kind, count(*) AS count FROM log WHERE kind != 'set' GROUP BY kind");
  expect(logged).toEqual([{ kind: "expired", count: expect.any(Number) }]);
});

describe("among many keys", () => {
  test("listing and counting look into the index of names alone", () => {
    const path = newPath();
    return open(path).then(() => {
      for (const sql of [NAMES, COUNT]) {
        const plan = query(path, `EXPLAIN QUERY PLAN ${sql}`).map(({ detail }) => String(detail));
        expect(plan).toContainEqual(
          expect.stringMatching(/^SEARCH entries USING COVERING INDEX sqlite_autoindex_entries_1 \(name>/),
        );
        expect(plan.filter((detail) => /^SCAN entries|USING INDEX sqlite_autoindex/.test(detail))).toEqual(
          [],
        );
      }
    });
  });

  test("those whose time is up are not listed or counted, be they few or many", async () => {
    const path = newPath();
    const backend = await open(path);
    const set = (name: string, ttlMs: number | null) => backend.set(name, bytes("v"), plain({ ttlMs }));
    const lasting = Array.from({ length: 1500 }, (_, i) => `t:k${i}`);
    await Promise.all(lasting.map((name) => set(name, null)));
    for (const passing of [3, 1200]) {
      const names = Array.from({ length: passing }, (_, i) => `t:k${i}x`);
      await Promise.all(names.map((name) => set(name, 1)));
      await until("they have expired", async () => (await backend.exists(names)) === 0);
      const found: string[] = [];
      for await (const batch of backend.keys("t:*")) found.push(...batch);
      expect(found.toSorted()).toEqual(lasting.toSorted());
      expect((await backend.status()).stores[0]?.keys).toBe(1500);
    }
  });
});

test("whoever has written much and leaves empties the WAL; who has written little leaves it as it is", async () => {
  const path = newPath();
  const write = (count: number) =>
    `for (let i = 0; i < ${count}; i++) await backend.set("t:k" + i, Buffer.alloc(40_000), PLAIN);`;
  const end = "await backend.close(); process.exit();";
  await succeed([inProcess(path, `${write(3)} ${end}`)]);
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(100_000);
  await succeed([inProcess(path, `${write(20)} ${end}`)]);
  expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0);
  expect(await (await open(path)).get("t:k19")).toEqual(Buffer.alloc(40_000));
});
