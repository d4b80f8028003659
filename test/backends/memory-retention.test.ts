/** How long the memory store keeps what it logged. */
import { afterEach, describe, expect, test } from "vitest";
import { bytes, channels, cleanUp, LIVE, newPath, open, plain, query, take } from "./memory-world.ts";

afterEach(cleanUp);

const WEEK_MS = 604_800_000;
const history = (messagesPerChannel: number, changes = 10_000, maxAgeMs = WEEK_MS) => ({
  history: { messagesPerChannel, changes, maxAgeMs },
});
const rowsOf = (path: string) => query(path, "SELECT n FROM log ORDER BY n").map(({ n }) => n);

describe("retention", () => {
  test("shows exactly the newest messages of each channel, and keeps few more", async () => {
    const path = newPath();
    const backend = await open(path, history(40));
    let last = "";
    for (let i = 0; i < 100; i++) {
      last = (await backend.publish("t:a", bytes(String(i)), "me")).id;
      await backend.publish("t:b", bytes(String(i)), "me");
      const [facts] = await backend.channels("t:a");
      expect(facts).toEqual({ channel: "t:a", messages: Math.min(i + 1, 40), followers: 0, lastId: last });
    }
    expect(rowsOf(path).length).toBeLessThanOrEqual(2 * 45);
    const sql = "SELECT CAST(data AS TEXT) AS text FROM log ORDER BY n DESC LIMIT 80";
    const texts = query(path, sql).map(({ text }) => Number(text));
    expect(texts.reverse()).toEqual(Array.from({ length: 80 }, (_, i) => 60 + Math.floor(i / 2)));
  });

  test("is exact to the row for small limits, and keeps nothing for 0", async () => {
    const path = newPath();
    const few = await open(path, history(3, 2));
    for (let i = 0; i < 20; i++) await few.publish("t:c", bytes("m"), "me");
    for (let i = 0; i < 20; i++) await few.set("t:k", bytes("v"), plain());
    expect(rowsOf(path)).toHaveLength(5);
    const none = await open(path, history(0, 2));
    await none.publish("t:c", bytes("m"), "me");
    expect(await none.channels("*")).toEqual([]);
    expect(rowsOf(path)).toHaveLength(2);
  });

  test("leaves flagged entries alone and does not count them", async () => {
    const path = newPath();
    const away = await open(path, { ...history(3, 3), flagUnsynced: true });
    for (let i = 0; i < 10; i++) await away.publish("t:c", bytes("away"), "me");
    for (let i = 0; i < 10; i++) await away.set("t:k", bytes("away"), plain());
    const back = await open(path, history(3, 3));
    for (let i = 0; i < 10; i++) await back.publish("t:c", bytes("back"), "me");
    for (let i = 0; i < 10; i++) await back.set("t:k", bytes("back"), plain());
    const counts = query(
      path,
      "SELECT kind, unsynced, count(*) AS count FROM log GROUP BY 1, 2 ORDER BY 1, 2",
    );
    expect(counts.map(({ kind, unsynced, count }) => [kind, unsynced, count])).toEqual([
      ["message", 0, 3],
      ["message", 1, 10],
      ["set", 0, 3],
      ["set", 1, 10],
    ]);
    expect((await back.channels("t:c"))[0]?.messages).toBe(13);
    expect((await back.status()).stores[0]?.unsynced).toBe(20);
  });

  test("what is too old is not shown, and goes a stream a write; then the stream goes", async () => {
    const path = newPath();
    const before = await open(path, history(1000, 1000, 60_000));
    for (const channel of ["t:a", "t:b", "t:c"]) await before.publish(channel, bytes("old"), "me");
    query(path, "UPDATE log SET n = n - 120000 * 1024");
    query(path, "UPDATE streams SET oldest = oldest - 120000 * 1024, last = last - 120000 * 1024");
    const backend = await open(path, history(1000, 1000, 60_000)); // looks at once
    expect(await backend.channels("*")).toEqual([]);
    await backend.publish("t:a", bytes("new"), "me");
    expect((await backend.channels("*")).map(({ channel, messages }) => [channel, messages])).toEqual([
      ["t:a", 1],
    ]);
    for (let i = 0; i < 8; i++) await backend.publish("t:new", bytes("new"), "me");
    expect(query(path, "SELECT channel FROM streams").map(({ channel }) => channel)).toEqual(
      [bytes("t:a"), bytes("t:new")].map(asRow),
    );
  });

  test("waits for a live follower, whatever the limit, and then goes on", async () => {
    const path = newPath();
    const backend = await open(path, history(0));
    const follower = backend.follow(channels("t:c"), LIVE);
    await follower.ready;
    for (let i = 0; i < 300; i++) await backend.publish("t:c", bytes(String(i)), "me");
    const messages = await take(follower[Symbol.asyncIterator](), 300);
    expect(messages.map(({ payload }) => Number(payload))).toEqual(Array.from({ length: 300 }, (_, i) => i));
    await follower.close();
    await backend.publish("t:c", bytes("m"), "me");
    expect(rowsOf(path)).toEqual([]);
  });
});

/** The driver gives plain arrays. */
function asRow(value: Buffer | null): Uint8Array | null {
  return value === null ? null : new Uint8Array(value);
}
