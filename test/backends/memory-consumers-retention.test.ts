/** What retention leaves to consumers of the memory store, and how they are told of the rest. */
import { afterEach, describe, expect, test } from "vitest";
import { idToNumber, numberToId } from "../../src/core/ids.ts";
import type { Delivery } from "../../src/core/worker.ts";
import { until } from "../helpers/until.ts";
import { NEVER, numbers, send, shown, takeAll, takeNow, takeOne, work } from "./memory-consumer-world.ts";
import { channels, cleanUp, newPath, open, query } from "./memory-world.ts";

afterEach(cleanUp);

const DAY_MS = 86_400_000;
const history = (messagesPerChannel: number, maxAgeMs = 7 * DAY_MS) => ({
  history: { messagesPerChannel, changes: 100, maxAgeMs },
});

/** As if all that is logged by now had been logged two days earlier. */
function age(path: string): void {
  const back = 2 * DAY_MS * 1024;
  query(path, `UPDATE log SET n = n - ${back}`);
  query(path, `UPDATE streams SET oldest = oldest - ${back}, last = last - ${back}`);
  query(path, `UPDATE positions SET delivered = delivered - ${back}`);
  query(path, `UPDATE pending SET n = n - ${back}`);
}

function aged(id: string | undefined): string {
  return numberToId((idToNumber(id ?? "") ?? 0) - 2 * DAY_MS * 1024);
}

/** One write drops what is too old in one channel; a process that has just come looks at once. */
async function writeSome(path: string): Promise<void> {
  const backend = await open(path, history(100, DAY_MS));
  for (const text of numbers(4)) await send(backend, "t:busy", text);
}

describe("a consumer that is away", () => {
  test("misses what was dropped, and is told so before the next message; what is still there, it gets", async () => {
    const backend = await open(newPath(), history(20));
    const [first] = await send(backend, "t:c", "first");
    const worker = await work(backend);
    await worker.ack(await takeOne(worker));
    await worker.close();
    const ids = await send(backend, "t:c", ...numbers(54));
    const { lag = 0 } = (await backend.consumers())[0]?.channels[0] ?? {};
    expect(lag).toBeGreaterThanOrEqual(20);
    const dropped = 54 - lag;
    const gap = { channel: "t:c", after: first, next: ids[dropped] };
    const again = await work(backend);
    expect(shown(await takeAll(again, lag))).toEqual([gap, ...numbers(lag, dropped)]);
    expect(await takeNow(again)).toEqual([]);
  });

  test("finds what retention kept for the worker before it", async () => {
    const backend = await open(newPath(), history(2));
    const worker = await work(backend);
    await send(backend, "t:c", ...numbers(50));
    await worker.close();
    expect(shown(await takeAll(await work(backend), 50))).toEqual(numbers(50));
  });

  test("is told of each channel's loss apart", async () => {
    const backend = await open(newPath(), history(2));
    const b = await send(backend, "t:b", ...numbers(3));
    const a = await send(backend, "t:a", ...numbers(3));
    const worker = await work(backend, {}, channels("t:a", "t:b"));
    expect(shown(await takeAll(worker, 4, 1))).toEqual([
      { channel: "t:b", after: "0-0", next: b[1] },
      "1",
      "2",
      { channel: "t:a", after: "0-0", next: a[1] },
      "1",
      "2",
    ]);
  });

  test("does not get what is too old, even where nothing has dropped it yet", async () => {
    const path = newPath();
    const backend = await open(path, history(100, DAY_MS));
    const [old] = await send(backend, "t:c", "read");
    const worker = await work(backend);
    await worker.ack(await takeOne(worker));
    await worker.close();
    await send(backend, "t:c", "old", "older");
    age(path);
    const again = await work(backend);
    expect(await takeNow(again)).toEqual([]);
    expect((await backend.consumers())[0]?.channels).toMatchObject([{ lag: 0 }]);
    const [next] = await send(backend, "t:c", "new");
    expect(shown(await takeNow(again))).toEqual([{ channel: "t:c", after: aged(old), next }, "new"]);
  });

  test("whose channel was forgotten reads what is there again", async () => {
    const path = newPath();
    const backend = await open(path, history(100, DAY_MS));
    await send(backend, "t:c", ...numbers(3));
    const worker = await work(backend);
    for (const item of await takeAll(worker, 3)) await worker.ack(item as Delivery);
    await worker.close();
    age(path);
    await writeSome(path);
    expect(query(path, "SELECT count(*) AS count FROM streams")).toEqual([{ count: 1 }]);
    expect(query(path, "SELECT * FROM positions")).toEqual([]);
    await send(backend, "t:c", "again");
    expect(shown(await takeNow(await work(backend)))).toEqual(["again"]);
  });

  test("keeps a channel from being forgotten until it knows what it lost there", async () => {
    const path = newPath();
    const backend = await open(path, history(100, DAY_MS));
    const ids = await send(backend, "t:c", ...numbers(3));
    const worker = await work(backend);
    await worker.ack(await takeOne(worker));
    await worker.close();
    age(path);
    await writeSome(path);
    const [next] = await send(backend, "t:c", "again");
    const again = await work(backend);
    expect(shown(await takeNow(again))).toEqual([{ channel: "t:c", after: aged(ids[0]), next }, "again"]);
  });

  test("keeps it no longer once it is deleted", async () => {
    const path = newPath();
    const backend = await open(path, history(100, DAY_MS));
    await send(backend, "t:c", ...numbers(3));
    const worker = await work(backend);
    await takeOne(worker);
    await worker.close();
    age(path);
    await writeSome(path);
    expect(query(path, "SELECT 1 FROM streams")).toHaveLength(2);
    await backend.deleteConsumer("w");
    await writeSome(path);
    expect(query(path, "SELECT 1 FROM streams")).toHaveLength(1);
  });
});

describe("a worker that is there", () => {
  test("misses nothing: retention waits until it has acknowledged", async () => {
    const path = newPath();
    const backend = await open(path, history(2));
    const worker = await work(backend, { ackTimeoutMs: 100 });
    await send(backend, "t:c", ...numbers(50));
    const items = await takeAll(worker, 50);
    expect(shown(items)).toEqual(numbers(50));
    const beat = () => query(path, "SELECT beat FROM followers")[0]?.beat;
    const first = beat();
    await until("its row is written", () => beat() !== first);
    await send(backend, "t:c", "more");
    expect(query(path, "SELECT n FROM log")).toHaveLength(51);
    for (const item of [...items, ...(await worker.take(1, NEVER))]) await worker.ack(item as Delivery);
    await worker.close();
    await send(backend, "t:c", "last");
    expect(query(path, "SELECT n FROM log")).toHaveLength(2);
  });

  test("is told what was dropped of what another did not finish", async () => {
    const path = newPath();
    const backend = await open(path, history(3));
    const dead = await work(backend);
    const ids = await send(backend, "t:c", ...numbers(2));
    await takeAll(dead, 2);
    query(path, "UPDATE followers SET id = id + 1000, started = 'another process'"); // a row's process never changes
    ids.push(...(await send(backend, "t:c", ...numbers(4, 2))));
    query(path, "UPDATE pending SET due = 0");
    const worker = await work(backend);
    const before = numberToId((idToNumber(ids[0] ?? "") ?? 0) - 1);
    expect(shown(await takeAll(worker, 3))).toEqual([
      { channel: "t:c", after: before, next: ids[3] },
      ...numbers(3, 3),
    ]);
    expect(query(path, "SELECT n FROM pending")).toHaveLength(3);
  });

  test.each([true, false])(
    "is told, too, if nothing of it is left (dropped by now: %s)",
    async (isDropped) => {
      const path = newPath();
      const backend = await open(path, history(100, DAY_MS));
      await send(backend, "t:c", "m");
      const dead = await work(backend);
      const { entry: message } = await takeOne(dead);
      age(path);
      if (isDropped) await writeSome(path);
      query(path, "UPDATE pending SET due = 0");
      const worker = await work(backend);
      const after = numberToId((idToNumber(aged(message.id ?? "")) ?? 0) - 1);
      expect(shown(await takeNow(worker))).toEqual([{ channel: "t:c", after, next: null }]);
      expect(query(path, "SELECT n FROM pending")).toEqual([]);
    },
  );

  test("gets what was written while redis was away like all else", async () => {
    const path = newPath();
    const backend = await open(path, history(2));
    const away = await open(path, { ...history(2), flagUnsynced: true });
    await send(away, "t:c", ...numbers(5));
    await send(backend, "t:c", ...numbers(5, 5));
    const worker = await work(backend);
    expect(shown(await takeAll(worker, 7)).filter((item) => typeof item === "string")).toEqual([
      ...numbers(5),
      "8",
      "9",
    ]);
  });
});
