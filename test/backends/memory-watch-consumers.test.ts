/** Consumers of changes: workers that share what happens to keys. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../../src/core/backend.ts";
import { idToNumber } from "../../src/core/ids.ts";
import type { AnySelection, Change, EntryOf, Gap } from "../../src/core/types.ts";
import type { Delivery, Worker, WorkerOptions } from "../../src/core/worker.ts";
import { until, within } from "../helpers/until.ts";
import { NEVER, OPTIONS } from "./memory-consumer-world.ts";
import {
  bundleStore,
  bytes,
  channels,
  cleanUp,
  inProcess,
  keys,
  linesOf,
  newPath,
  open,
  plain,
  query,
  removeBundle,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

type Items = ReadonlyArray<Delivery<Change> | Gap>;

function watch<Of extends AnySelection>(
  backend: Backend,
  selection: Of,
  more: Partial<WorkerOptions> = {},
): Promise<Worker<EntryOf<Of>>> {
  return backend.work("w", selection, { ...OPTIONS, ...more });
}
const set = (backend: Backend, key: string, value: string) => backend.set(key, bytes(value), plain());
const take = (worker: Worker<Change>, most = 100) => within("a change", worker.take(most, NEVER));
const takeNow = async (worker: Worker<Change>): Promise<Items> => {
  const stop = new AbortController();
  const items = worker.take(100, stop.signal);
  stop.abort();
  return items;
};
const takeOne = async (worker: Worker<Change>): Promise<Delivery<Change>> => {
  const [item] = await take(worker, 1);
  if (item === undefined || "gap" in item) throw new Error(`no change but ${JSON.stringify(item)}`);
  return item;
};
const shown = (items: Items) =>
  items.map((item) => ("gap" in item ? item.gap : `${item.entry.event} ${item.entry.key}`));
const numberIn = (path: string, sql: string) => Number(Object.values(query(path, sql)[0] ?? {})[0] ?? 0);
const delivered = (path: string) => numberIn(path, "SELECT max(delivered) FROM positions");
const conflict = (message: string) => ({ kind: "conflict", message });

describe("a worker of changes", () => {
  test("is handed the changes it selects, in order, each held until it is acknowledged; no messages", async () => {
    const path = newPath();
    const backend = await open(path);
    for (const key of ["t:a", "t:x", "t:b"]) await set(backend, key, "v");
    await backend.publish("t:a", bytes("m"), "me");
    await backend.del(["t:a"], { agent: "me" });
    const worker = await watch(backend, { keys: ["t:b"], patterns: ["t:a*"] });
    const items = await take(worker);
    expect(shown(items)).toEqual(["set t:a", "set t:b", "del t:a"]);
    expect(numberIn(path, "SELECT count(*) FROM pending")).toBe(3);
    for (const item of items) if ("entry" in item) await worker.ack(item);
    expect(numberIn(path, "SELECT count(*) FROM pending")).toBe(0);
    expect(await takeNow(worker)).toEqual([]);
    const other = await watch(backend, { keys: ["t:b"], patterns: ["t:a*"] });
    await set(backend, "t:ab", "v");
    expect(shown([...(await takeNow(other)), ...(await takeNow(worker))])).toEqual(["set t:ab"]);
  });

  test("moves the position past changes of other keys, without holding them", async () => {
    const path = newPath();
    const backend = await open(path);
    const worker = await watch(backend, keys("t:rare"));
    for (let i = 0; i < 600; i++) await set(backend, "t:often", String(i));
    const waiting = takeOne(worker);
    await until(
      "the position is past them",
      async () => delivered(path) === (await backend.position()),
      3000,
    );
    expect(numberIn(path, "SELECT count(*) FROM pending")).toBe(0);
    expect((await backend.consumers())[0]?.channels).toEqual([
      { channel: null, position: expect.any(String), pending: 0, lag: 0 },
    ]);
    await set(backend, "t:often", "again");
    expect((await backend.consumers())[0]?.channels[0]?.lag).toBe(1);
    await set(backend, "t:rare", "v");
    await worker.ack(await waiting);
  });

  test("tells of a gap before the next change of any key, and of none where only other keys' changes went", async () => {
    const path = newPath();
    const history = { messagesPerChannel: 4, changes: 4, maxAgeMs: 60_000 };
    const backend = await open(path, { history });
    await set(backend, "t:k", "0");
    const first = await watch(backend, keys("t:k"));
    const begun = await takeOne(first);
    await first.ack(begun);
    await first.close();
    for (let i = 0; i < 10; i++) await set(backend, "t:other", String(i));
    const oldest = numberIn(path, "SELECT min(n) FROM log");
    const worker = await watch(backend, keys("t:k"));
    const [item] = await take(worker);
    const gap = item !== undefined && "gap" in item ? item.gap : null;
    expect(gap).toMatchObject({ channel: null, after: begun.entry.id });
    expect(idToNumber(gap?.next ?? "")).toBe(oldest);
    const waiting = takeOne(worker);
    await until("the rest is passed", async () => delivered(path) === (await backend.position()), 3000);
    for (let i = 0; i < 10; i++) await set(backend, "t:other", String(i));
    await until("they are passed", async () => delivered(path) === (await backend.position()), 3000);
    await set(backend, "t:other", "takes them away");
    expect(numberIn(path, "SELECT count(*) FROM log")).toBe(4);
    await set(backend, "t:k", "1");
    expect((await waiting).entry.value).toEqual(bytes("1"));
  });

  test("that waits is told of a gap among changes that are nothing for it", async () => {
    const path = newPath();
    const history = { messagesPerChannel: 4, changes: 4, maxAgeMs: 60_000 };
    const backend = await open(path, { history });
    const worker = await watch(backend, keys("t:k"));
    const waiting = take(worker);
    query(
      path,
      "INSERT INTO streams (board, channel, kept, last, oldest, dropped) VALUES ('t', x'00', 100003, 1, 1, 0)",
    );
    for (let i = 0; i < 2; i++) await set(backend, "t:other", "goes, as if so many were held");
    const { id } = (await set(backend, "t:other", "v")) as { id: string };
    expect(shown(await waiting)).toEqual([{ channel: null, after: expect.any(String), next: id }]);
  });

  test("gives up to the key's failed channel: the value, what happened, and to which key", async () => {
    const backend = await open(newPath());
    const written = await backend.set("t:k", bytes("value"), plain({ agent: "ann" }));
    await backend.set("t:k", Buffer.alloc(70_000), plain());
    await backend.del(["t:k"], { agent: "bob" });
    const worker = await watch(backend, keys("t:k"));
    for (const item of await take(worker)) {
      if ("entry" in item) expect(await worker.giveUp(item, "exited 3")).toBe(true);
    }
    const failed = await (await backend.work("f", channels("t:k:failed"), OPTIONS)).take(9, NEVER);
    const messages = failed.map((item) => ("entry" in item ? item.entry : null));
    expect(messages.map((message) => message?.payload.toString())).toEqual(["value", "", ""]);
    const of = { channel: null, key: "t:k", consumer: "w", attempts: 1, reason: "exited 3" };
    const id = written.written ? written.id : "";
    expect(messages[0]?.failure).toEqual({ ...of, event: "set", id, by: "ann" });
    expect(messages[2]?.failure).toMatchObject({ ...of, event: "del", by: "bob" });
  });

  test("is told of an expiry that nobody else sees to", async () => {
    const backend = await open(newPath());
    const worker = await watch(backend, keys("t:k"), { begin: "now" });
    await backend.set("t:k", bytes("v"), plain({ ttlMs: 200 }));
    await worker.ack(await takeOne(worker));
    const { entry } = await within("it expires", takeOne(worker), 1200);
    expect(entry).toMatchObject({ event: "expired", by: null });
  });

  test("takes over what a killed one held", async () => {
    const path = newPath();
    const backend = await open(path);
    await set(backend, "t:k", "v");
    await set(backend, "t:x", "v");
    const child = inProcess(
      path,
      `const worker = await backend.work("w", { keys: ["t:k"], patterns: [] },
        { begin: "start", ackTimeoutMs: 300, agent: "child", onState() {} });
      const [{ entry }] = await worker.take(1, new AbortController().signal);
      say(entry.event + " " + entry.key);
      await told;`,
    );
    await until("it holds one", () => linesOf(child).includes("set t:k"));
    child.process.kill("SIGKILL");
    await child.ended;
    const worker = await watch(backend, keys("t:k"), { ackTimeoutMs: 300 });
    expect(await takeOne(worker)).toMatchObject({ entry: { key: "t:k" }, attempt: 2 });
  });

  test("needs changes that are kept", async () => {
    const backend = await open(newPath(), {
      history: { messagesPerChannel: 9, changes: 0, maxAgeMs: 60_000 },
    });
    await expect(watch(backend, keys("t:k"))).rejects.toMatchObject({ kind: "config" });
  });
});

describe("a consumer's keys", () => {
  test("are the same for all its living workers, in whatever order", async () => {
    const backend = await open(newPath());
    const worker = await watch(backend, { keys: ["t:a", "t:b"], patterns: ["t:x*"] });
    await watch(backend, { keys: ["t:b", "t:a", "t:b"], patterns: ["t:x*"] });
    await expect(watch(backend, keys("t:a"))).rejects.toMatchObject(
      conflict("the consumer w watches other keys"),
    );
    await set(backend, "t:a", "v");
    expect(shown(await take(worker))).toEqual(["set t:a"]);
  });

  test("may be others once nobody lives; what is pending of those it had is done", async () => {
    const path = newPath();
    const backend = await open(path);
    for (const key of ["t:a", "t:b"]) await set(backend, key, "v");
    const both = await watch(backend, keys("t:a", "t:b"));
    expect(await take(both)).toHaveLength(2);
    await both.close();
    const worker = await watch(backend, keys("t:b", "t:c"));
    expect(shown(await take(worker))).toEqual(["set t:b"]);
    expect(await takeNow(worker)).toEqual([]);
    expect(numberIn(path, "SELECT count(*) FROM pending")).toBe(1);
    await set(backend, "t:a", "v");
    await set(backend, "t:c", "v");
    expect(shown(await take(worker))).toEqual(["set t:c"]);
  });

  test("end a worker that seemed dead when they were changed", async () => {
    const path = newPath();
    const backend = await open(path);
    const old = await watch(backend, keys("t:a"));
    query(path, "UPDATE followers SET scene = 'another machine', beat = 0");
    await watch(backend, keys("t:b"));
    await expect(old.take(1, NEVER)).rejects.toMatchObject(conflict("the consumer w watches other keys"));
  });

  test("never become channels, nor the other way round", async () => {
    const backend = await open(newPath());
    await (await watch(backend, keys("t:a"))).close();
    await expect(watch(backend, channels("t:a"))).rejects.toMatchObject(
      conflict("the consumer w watches keys"),
    );
    await (await backend.work("m", channels("t:a"), OPTIONS)).close();
    await expect(backend.work("m", keys("t:a"), OPTIONS)).rejects.toMatchObject(
      conflict("the consumer m follows messages"),
    );
    await backend.deleteConsumer("m");
    await (await backend.work("m", keys("t:a"), OPTIONS)).close();
  });
});
