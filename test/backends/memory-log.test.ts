/** The log: one entry a change, in the same step, kept as long as told. Looked at with a connection of its own. */
import { afterEach, describe, expect, test } from "vitest";
import { idToNumber } from "../../src/core/ids.ts";
import { encodeName } from "../../src/core/names.ts";
import { until } from "../helpers/until.ts";
import { bytes, cleanUp, kindsOf, newPath, open, plain, query } from "./memory-world.ts";

afterEach(cleanUp);

const WEEK_MS = 604_800_000;
const history = (messagesPerChannel: number, changes = 10_000, maxAgeMs = WEEK_MS) => ({
  history: { messagesPerChannel, changes, maxAgeMs },
});
const rowsOf = (path: string) => query(path, "SELECT n FROM log ORDER BY n").map(({ n }) => n);

describe("the log", () => {
  test("has one entry a change: kind, name, value, author", async () => {
    const path = newPath();
    const backend = await open(path);
    const first = await backend.set("t:k", bytes("v"), plain({ agent: "ann" }));
    await backend.incr("t:n", 5n, "bob");
    await backend.del(["t:k", "t:k", "t:none"], { agent: "cid" });
    const sent = await backend.publish("t:c", bytes(""), "dan");
    const rows = query(path, "SELECT n, kind, name, data, size, author FROM log ORDER BY n");
    expect(rows.map(({ kind, author }) => [kind, author])).toEqual([
      ["set", "ann"],
      ["set", "bob"],
      ["del", "cid"],
      ["message", "dan"],
    ]);
    expect(rows.map(({ data }) => data)).toEqual([bytes("v"), bytes("5"), null, bytes("")].map(asRow));
    expect(rows[0]?.name).toEqual(asRow(encodeName("t:k")));
    expect(first).toEqual({ written: true, id: expect.any(String) });
    expect(idToNumber(first.written ? first.id : "")).toBe(rows[0]?.n);
    expect(idToNumber(sent.id)).toBe(rows[3]?.n);
  });

  test("has no entry for a refused write, a time to live, or a key that was not there", async () => {
    const path = newPath();
    const backend = await open(path);
    await backend.set("t:k", bytes("text"), plain());
    await backend.set("t:k", bytes("w"), plain({ condition: { if: "absent" } }));
    await backend.expire("t:k", 60_000);
    await backend.del(["t:none"], { agent: "me" });
    await expect(backend.incr("t:k", 1n, "me")).rejects.toMatchObject({ kind: "conflict" });
    expect(kindsOf(path, "t:k")).toEqual(["set"]);
    expect(rowsOf(path)).toHaveLength(1);
  });

  test("cannot be without the write, nor the write without it", async () => {
    const path = newPath();
    const backend = await open(path);
    await backend.set("t:before", bytes("v"), plain());
    query(
      path,
      "CREATE TRIGGER no BEFORE INSERT ON entries WHEN new.name = x'743a6b' BEGIN SELECT raise(ABORT, 'no'); END",
    );
    await expect(backend.set("t:k", bytes("v"), plain())).rejects.toMatchObject({ kind: "internal" });
    expect(kindsOf(path, "t:k")).toEqual([]);
    query(path, "DROP TRIGGER no");
    query(path, "CREATE TRIGGER no BEFORE INSERT ON log BEGIN SELECT raise(ABORT, 'no'); END");
    await expect(backend.del(["t:before"], { agent: "me" })).rejects.toMatchObject({ kind: "internal" });
    expect(await backend.get("t:before")).toEqual(bytes("v"));
    query(path, "DROP TRIGGER no");
    await backend.set("t:k", bytes("v"), plain());
    expect(kindsOf(path, "t:k")).toEqual(["set"]);
  });

  test("holds values up to 64 KiB, only the size of larger ones, and every payload", async () => {
    const path = newPath();
    const backend = await open(path);
    await backend.set("t:small", Buffer.alloc(65_536, 1), plain());
    await backend.set("t:large", Buffer.alloc(65_537, 1), plain());
    await backend.publish("t:c", Buffer.alloc(200_000, 1), "me");
    const rows = query(path, "SELECT size, length(data) AS length FROM log ORDER BY n");
    expect(rows).toEqual([
      { size: 65_536, length: 65_536 },
      { size: 65_537, length: null },
      { size: 200_000, length: 200_000 },
    ]);
  });

  test("has messages sent at once in order, and before what is done after them", async () => {
    const path = newPath();
    const backend = await open(path);
    const texts = Array.from({ length: 250 }, (_, i) => String(i));
    const sent = texts.map((text) => backend.publish("t:c", bytes(text), "me"));
    const written = backend.set("t:k", bytes("v"), plain());
    const last = backend.publish("t:c", bytes("last"), "me");
    const ids = [...(await Promise.all(sent)), await written, await last].map((result) =>
      idToNumber("id" in result ? result.id : ""),
    );
    expect(ids).toEqual(rowsOf(path));
    const rows = query(path, "SELECT CAST(data AS TEXT) AS text FROM log ORDER BY n");
    expect(rows.map(({ text }) => text)).toEqual([...texts, "v", "last"]);
    expect(await backend.publish("t:c", bytes("m"), "me")).toMatchObject({ receivers: 0 });
  });

  test("has what was sent when the store is closed", async () => {
    const path = newPath();
    const backend = await open(path);
    const sent = [backend.publish("t:c", bytes("m"), "me"), backend.publish("t:c", bytes("n"), "me")];
    await backend.close();
    expect(rowsOf(path)).toEqual((await Promise.all(sent)).map(({ id }) => idToNumber(id)));
    await expect(backend.publish("t:c", bytes("o"), "me")).rejects.toMatchObject({ kind: "internal" });
  });

  test("has none of the messages sent at once if one cannot be logged, and their senders are told", async () => {
    const path = newPath();
    const backend = await open(path);
    const tooLarge = backend.publish("t:c", Buffer.alloc(64 * 1024 * 1024 + 1), "me");
    query(
      path,
      "CREATE TRIGGER no BEFORE INSERT ON log WHEN new.data = x'62' BEGIN SELECT raise(ABORT, 'no'); END",
    );
    const sent = ["a", "b"].map((text) => backend.publish("t:c", bytes(text), "me"));
    await expect(tooLarge).rejects.toMatchObject({ kind: "usage" });
    for (const one of sent) await expect(one).rejects.toMatchObject({ kind: "internal" });
    expect(rowsOf(path)).toEqual([]);
    await backend.publish("t:c", bytes("a"), "me");
    expect(rowsOf(path)).toHaveLength(1);
  });

  test("grows strictly, also when it was emptied and the clock was put back", async () => {
    const path = newPath();
    const backend = await open(path, history(0, 0));
    const ahead = (Date.now() + 3_600_000) * 1024;
    query(path, "UPDATE counter SET last = ?", ahead);
    const ids: (number | null)[] = [];
    for (let i = 0; i < 5; i++) ids.push(idToNumber((await backend.publish("t:c", bytes("m"), "me")).id));
    await backend.set("t:k", bytes("v"), plain());
    expect(rowsOf(path)).toEqual([]);
    ids.push(idToNumber((await backend.publish("t:c", bytes("m"), "me")).id));
    expect(ids).toEqual([1, 2, 3, 4, 5, 7].map((more) => ahead + more));
  });
});

describe("an expired key", () => {
  const expired = async (path: string) => {
    const backend = await open(path);
    await backend.set("t:k", bytes("v"), plain({ ttlMs: 1 }));
    await until("the key expires", async () => (await backend.get("t:k")) === null);
    return backend;
  };

  test("is logged once, by the next write to anything", async () => {
    const path = newPath();
    const backend = await expired(path);
    await backend.publish("t:c", bytes("m"), "me");
    await (await open(path)).publish("t:c", bytes("m"), "me");
    expect(kindsOf(path, "t:k")).toEqual(["set", "expired"]);
    expect(query(path, "SELECT author FROM log WHERE kind = 'expired'")).toEqual([{ author: null }]);
  });

  test("is logged before what is written over it", async () => {
    const path = newPath();
    const backend = await expired(path);
    expect(await backend.set("t:k", bytes("w"), plain({ condition: { if: "absent" } }))).toMatchObject({
      written: true,
    });
    expect(kindsOf(path, "t:k")).toEqual(["set", "expired", "set"]);
  });

  test("is logged before what is written over it, also when many others wait to be cleared away", async () => {
    const path = newPath();
    const backend = await open(path);
    for (let i = 0; i < 150; i++) await backend.set(`t:k${i}`, bytes("v"), plain({ ttlMs: 60_000 }));
    query(path, "UPDATE entries SET expires_at = last - first + 1 + rowid");
    await backend.incr("t:k149", 1n, "me");
    await backend.del(["t:k148"], { agent: "me" });
    expect(kindsOf(path, "t:k149")).toEqual(["set", "expired", "set"]);
    expect(kindsOf(path, "t:k148")).toEqual(["set", "expired"]);
    expect(await backend.get("t:k149")).toEqual(bytes("1"));
  });

  test("goes to the log of the board that wrote it", async () => {
    const path = newPath();
    await expired(path);
    await (await open(path, { prefix: "other" })).publish("other:c", bytes("m"), "me");
    const sql = "SELECT board FROM log JOIN streams ON streams.id = stream WHERE kind = 'expired'";
    expect(query(path, sql)).toEqual([{ board: "t" }]);
  });

  test("is absent for everyone before it is cleared away", async () => {
    const path = newPath();
    const backend = await expired(path);
    expect(await backend.exists(["t:k"])).toBe(0);
    expect(await backend.describe(["t:k"])).toEqual([null]);
    expect(await backend.ttl("t:k")).toBeUndefined();
    expect(await backend.set("t:k", bytes("w"), plain({ condition: { if: "present" } }))).toMatchObject({
      written: false,
    });
    for await (const batch of backend.keys("*")) expect(batch).toEqual([]);
    expect((await backend.status()).stores[0]?.keys).toBe(0);
  });

  test("many at once are cleared a bounded piece a write, each logged once", async () => {
    const path = newPath();
    const backend = await open(path);
    for (let i = 0; i < 250; i++) await backend.set(`t:k${i}`, bytes("v"), plain({ ttlMs: 60_000 }));
    query(path, "UPDATE entries SET expires_at = 1");
    const left = [];
    for (let i = 0; i < 4; i++) {
      await backend.publish("t:c", bytes("m"), "me");
      left.push(query(path, "SELECT 1 FROM entries").length);
    }
    expect(left).toEqual([149, 48, 0, 0]); // 100, and one for what is done besides
    expect(query(path, "SELECT 1 FROM log WHERE kind = 'expired'")).toHaveLength(250);
  });
});

/** The driver gives plain arrays. */
function asRow(value: Buffer | null): Uint8Array | null {
  return value === null ? null : new Uint8Array(value);
}
