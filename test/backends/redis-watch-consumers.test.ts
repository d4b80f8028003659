/** Consumers of key changes on redis: what core/worker.ts promises of them, beyond what it promises of messages. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import { numberToId } from "../../src/core/ids.ts";
import { bytes, follow, openBoard, plainly } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until, within } from "../helpers/until.ts";
import {
  deliveries,
  isNothingLeft,
  lossyLine,
  NEVER,
  shownChanges,
  work,
  workOnKeys,
} from "./redis-consumer-world.ts";
import { cuttableLine } from "./redis-world.ts";

const ROOT = "timmy-bb:{timmy}:";
const STREAM = `${ROOT}changes`;
const KEEPING_5 = { history: { messagesPerChannel: 10, changes: 5, maxAgeMs: 86_400_000 } };
const DAY = 86_400_000;
let server: RedisServer;
let store: RedisStore;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(async () => {
  await server.cli("flushall");
  store = await openBoard(server.url);
});
afterAll(() => server.stop());

/** `timmy:<name>` = "0", "1", …; the ids. */
async function write(name: string, count: number, board = store): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < count; at++) {
    const result = await board.set(`timmy:${name}`, bytes(String(at)), plainly);
    ids.push(result.written ? result.id : expect.unreachable());
  }
  return ids;
}

async function factsOf(consumer = "team") {
  return (await store.consumers()).find((one) => one.consumer === consumer);
}

const isCaughtUp = async () => (await factsOf())?.channels.every(({ pending, lag }) => pending + lag === 0);

describe("handing out", () => {
  test("each change once, to one worker or the other, with all that is known of it", async () => {
    const [id = ""] = await write("a", 2);
    await store.del(["timmy:a"], { agent: "other" });
    const [one, other] = [
      await workOnKeys(store, { keys: ["timmy:a"] }),
      await workOnKeys(store, { keys: ["timmy:a"] }),
    ];
    const held = [...(await one.hold(1)), ...(await other.hold(1)), ...(await one.hold(1))];
    const at = Number(id.split("-")[0]);
    const set = {
      event: "set",
      key: "timmy:a",
      value: bytes("0"),
      size: 1,
      id,
      by: "me",
      at,
      isInitial: false,
    };
    expect(held[0]).toEqual({ entry: set, attempt: 1 });
    expect(shownChanges(held)).toEqual(["set a 0 1", "set a 1 1", "del a  1"]);
    expect(held[2]?.entry).toMatchObject({ value: null, size: null, by: "other" });
    expect(await isNothingLeft(store, one)).toBe(true);
  });

  test("wakes who waits, and nobody gets what is a message, a foreign client's, or another key's", async () => {
    const { take } = await workOnKeys(store, { patterns: ["timmy:job:*"] });
    const taking = take(9);
    await store.publish("timmy:job:1", bytes("x"), "me");
    await server.cli("set", "timmy:job:2", "foreign");
    await write("other", 1);
    await write("job:3", 1);
    expect(shownChanges(deliveries(await taking))).toEqual(["set job:3 0 1"]);
  });

  test("a large value is not in the log, and comes without", async () => {
    await store.set("timmy:a", Buffer.alloc(65_537, 1), plainly);
    const [held] = await (await workOnKeys(store, { keys: ["timmy:a"] })).hold(1);
    expect(held?.entry).toMatchObject({ value: null, size: 65_537 });
  });

  test("changes of other keys are passed over, and do not stay pending", async () => {
    await write("other", 700);
    await write("a", 1);
    await write("other", 300);
    const { hold, worker, take } = await workOnKeys(store, { keys: ["timmy:a"] });
    const [held = expect.unreachable()] = await hold(1);
    const next = take();
    await until("the others are done", async () => (await factsOf())?.channels[0]?.pending === 1);
    await worker.ack(held);
    await until("all is done", isCaughtUp);
    await write("a", 1);
    expect(shownChanges(deliveries(await next))).toEqual(["set a 0 1"]);
  });

  test("more than was wanted is given back at once, in its order, and not counted", async () => {
    await write("other", 300);
    await write("a", 40);
    const [one, other] = [
      await workOnKeys(store, { keys: ["timmy:a"] }),
      await workOnKeys(store, { keys: ["timmy:a"] }),
    ];
    const first = deliveries(await one.take(1));
    const rest = [];
    while (rest.length < 39)
      rest.push(...deliveries(await within("the rest, at once", other.take(50), 2000)));
    expect(shownChanges([...first, ...rest])).toEqual(Array.from({ length: 40 }, (_, at) => `set a ${at} 1`));
    expect((await factsOf())?.workers.map(({ pending }) => pending).sort()).toEqual([1, 39]);
  });

  test("a worker that takes one after the other among many of other keys gets all, in order", async () => {
    for (let at = 0; at < 20; at++) {
      await write(`a${at}`, 1);
      await write("other", at % 7);
    }
    const { hold } = await workOnKeys(store, { patterns: ["timmy:a*"] });
    expect(shownChanges(await hold(20))).toEqual(Array.from({ length: 20 }, (_, at) => `set a${at} 0 1`));
  });

  test("what happens to other keys is passed over, although nobody is told of it", async () => {
    const { worker } = await workOnKeys(store, { keys: ["timmy:a"] }, { ackTimeoutMs: 300 });
    const stop = new AbortController();
    const taking = worker.take(1, stop.signal);
    await write("other", 20);
    await until("it has looked", isCaughtUp);
    stop.abort();
    expect(await taking).toEqual([]);
  });

  test("what expires comes, although nobody touches the board", async () => {
    await store.set("timmy:a", bytes("x"), { ...plainly, ttlMs: 150 });
    const { take, worker } = await workOnKeys(store, { keys: ["timmy:a", "timmy:b"] }, { begin: "now" });
    expect(shownChanges(deliveries(await within("the expiry", take(), 2000)))).toEqual(["expired a  1"]);
    await store.set("timmy:b", bytes("x"), { ...plainly, ttlMs: 150 });
    expect(shownChanges(deliveries(await take()))).toEqual(["set b x 1"]);
    const [expired] = deliveries(await within("the next", take(), 2000));
    expect(expired?.entry).toMatchObject({ event: "expired", key: "timmy:b", by: null, size: null });
    await worker.close();
  });

  test("a worker of messages gets no changes, whatever its pattern", async () => {
    const open = await openBoard(server.url, { prefix: "" });
    await open.set("a", bytes("x"), plainly);
    await open.publish("c", bytes("message"), "me");
    const { take } = await work(open, { selection: { patterns: ["*"] } });
    expect(deliveries(await take(9)).map(({ entry }) => entry.channel)).toEqual(["c"]);
    expect((await open.consumers())[0]?.channels.map(({ channel }) => channel)).toEqual(["c"]);
  });
});

describe("what is held", () => {
  test("can be tried again, given back, given up to KEY:failed, byte for byte", async () => {
    const value = Buffer.from([0, 255, 10, 13]);
    const { id } = (await store.set("timmy:a", value, { ...plainly, agent: "writer" })) as {
      readonly id: string;
    };
    const { hold, worker } = await workOnKeys(store, { keys: ["timmy:a"] }, { agent: "worker" });
    const [first = expect.unreachable()] = await hold(1);
    await worker.release((await worker.retry(first)) ?? expect.unreachable());
    const [second = expect.unreachable()] = await hold(1);
    expect(second.attempt).toBe(2);
    const live = await follow(store, { channels: ["timmy:a:failed"] });
    expect(await worker.giveUp(second, "exited 3")).toBe(true);
    const why = { consumer: "team", attempts: 2, reason: "exited 3" };
    const failure = { channel: null, key: "timmy:a", event: "set", id, by: "writer", ...why };
    expect((await live.take(1))[0]).toMatchObject({ payload: value, by: "worker", failure });
    expect(await worker.giveUp(second, "again")).toBe(false);
    expect(await isCaughtUp()).toBe(true);
  });

  test("a change without a value is given up with nothing; an expiry was nobody's doing", async () => {
    await store.set("timmy:a", bytes("x"), { ...plainly, ttlMs: 50 });
    const { hold, worker } = await workOnKeys(store, { keys: ["timmy:a"] });
    const [, expired = expect.unreachable()] = await hold(2);
    const live = await follow(store, { channels: ["timmy:a:failed"] });
    expect(await worker.giveUp(expired, "bad")).toBe(true);
    const failure = { event: "expired", by: null };
    expect((await live.take(1))[0]).toMatchObject({ payload: bytes(""), failure });
  });

  test("what a killed worker was handed of other keys is passed over, and only its own waited for", async () => {
    await write("other", 20);
    await write("a", 2);
    await (await workOnKeys(store, { keys: ["timmy:a"] })).worker.close(); // it makes the consumer
    await server.cli("xgroup", "create", STREAM, "team", "0");
    const killed = "killed#00000000:200"; // between the answer that handed out and the acknowledgement of what is not selected
    await server.cli("xreadgroup", "group", "team", killed, "count", "21", "streams", STREAM, ">");
    const last = (await server.cli("xpending", STREAM, "team")).split("\n")[2] ?? "";
    const [ms = "", rest = ""] = last.split("-");
    await server.cli("hset", `${ROOT}positions:team`, "", String(Number(ms) * 1024 + Number(rest)));
    const { hold } = await workOnKeys(store, { keys: ["timmy:a"] }, { ackTimeoutMs: 200 });
    expect(shownChanges(await hold(2))).toEqual(["set a 0 2", "set a 1 1"]);
    await until("the others are done", async () => (await factsOf())?.channels[0]?.pending === 2);
  });

  test("an answer that is lost: what it handed out comes again, uncounted, and once", async () => {
    await write("other", 50);
    await write("a", 3);
    const line = await lossyLine(server.port);
    const { hold, worker, take } = await workOnKeys(await openBoard(`redis://127.0.0.1:${line.port}`), {
      keys: ["timmy:a"],
    });
    const [first = expect.unreachable()] = await hold(1);
    line.loseNextAnswer();
    const [second = expect.unreachable(), third = expect.unreachable()] = await hold(2);
    expect(shownChanges([first, second, third])).toEqual(["set a 0 1", "set a 1 1", "set a 2 1"]);
    const taking = take();
    await Promise.all([first, second, third].map((delivery) => worker.ack(delivery)));
    await until("all is done", isCaughtUp);
    await write("a", 1);
    expect(shownChanges(deliveries(await taking))).toEqual(["set a 0 1"]);
  });
});

describe("what is lost to retention", () => {
  test("stands as a gap of no channel before the next change, of whatever key that was", async () => {
    const board = await openBoard(server.url, KEEPING_5);
    const [first = ""] = await write("a", 1, board);
    const { hold, take } = await workOnKeys(board, { keys: ["timmy:a"] });
    await hold(1);
    await write("a", 3, board);
    const ids = await write("other", 4, board);
    await write("a", 1, board);
    const [gap, ...items] = await take(9);
    expect(gap).toEqual({ gap: { channel: null, after: first, next: ids[0] } });
    expect(shownChanges(deliveries(items))).toEqual(["set a 0 1"]);
  });

  test("a log that expired: the position stays, nothing comes twice and no gap is made up", async () => {
    await write("a", 2);
    const { take } = await workOnKeys(store, { keys: ["timmy:a"] });
    while ((await factsOf())?.channels[0]?.pending !== 2) await take(2);
    await server.cli("del", STREAM);
    await write("a", 1);
    expect(shownChanges(deliveries(await take()))).toEqual(["set a 0 1"]);
  });

  test("a board that keeps no changes: config", async () => {
    const history = { messagesPerChannel: 10, changes: 0, maxAgeMs: DAY };
    const board = await openBoard(server.url, { history });
    await expect(workOnKeys(board, { keys: ["timmy:a"] })).rejects.toMatchObject({ kind: "config" });
    await (await work(board)).worker.close();
  });
});

describe("one consumer", () => {
  const A = { keys: ["timmy:a"] };

  test("begins at the start or now, and is listed with one position, of no channel", async () => {
    const ids = await write("a", 2);
    await workOnKeys(store, A, { consumer: "late", begin: "now" });
    await workOnKeys(store, A, { consumer: "early" });
    await write("a", 1);
    await write("other", 1);
    const facts = { channel: null, pending: 0 };
    expect((await factsOf("late"))?.channels).toEqual([{ ...facts, position: ids[1], lag: 2 }]);
    expect((await factsOf("early"))?.channels).toEqual([{ ...facts, position: numberToId(0), lag: 4 }]);
    const late = await workOnKeys(store, A, { consumer: "late" });
    expect(shownChanges(await late.hold(1))).toEqual(["set a 0 1"]);
  });

  test("is of messages or of keys, for good", async () => {
    await work(store, { consumer: "messages" });
    await workOnKeys(store, A, { consumer: "keys" });
    const hint = "choose another name, or delete it";
    await expect(workOnKeys(store, A, { consumer: "messages" })).rejects.toMatchObject({
      kind: "conflict",
      message: "the consumer messages follows messages",
      hint,
    });
    await expect(work(store, { consumer: "keys" })).rejects.toMatchObject({
      kind: "conflict",
      message: "the consumer keys watches keys",
      hint,
    });
    expect(await store.deleteConsumer("keys")).toBe(true);
    await work(store, { consumer: "keys" });
  });

  test("has one selection as long as one of its workers lives; then another goes on where it is", async () => {
    await write("a", 1);
    await write("b", 1);
    const both = { keys: ["timmy:b", "timmy:a", "timmy:b"], patterns: ["timmy:c*", "timmy:d*"] };
    const same = { keys: ["timmy:a", "timmy:b"], patterns: ["timmy:d*", "timmy:c*"] };
    const one = await workOnKeys(store, both);
    const other = await workOnKeys(store, same);
    await one.hold(2);
    const refused = { kind: "conflict", message: "the consumer team watches other keys" };
    await expect(workOnKeys(store, A)).rejects.toMatchObject(refused);
    await Promise.all([one.worker.close(), other.worker.close()]);
    await until("nobody works", async () => (await factsOf())?.workers.length === 0);
    await write("a", 1);
    await write("b", 1);
    const { hold } = await workOnKeys(store, A); // what `one` held of b is none of its business
    expect(shownChanges(await hold(2))).toEqual(["set a 0 1", "set a 0 1"]);
    await until("the others are done", async () => (await factsOf())?.channels[0]?.pending === 2);
  });

  test("ends workers that were away when it was joined with another selection", async () => {
    await write("a", 1);
    const line = await cuttableLine(server.port);
    const away = await workOnKeys(await openBoard(`redis://127.0.0.1:${line.port}`), A);
    line.cut();
    await until("it noticed", () => away.states.length === 1);
    const other = { keys: ["timmy:b"] };
    const join = () => workOnKeys(store, other).catch(() => null); // until the server has noticed, too
    const { take } = await until("it is joined", join);
    line.mend();
    const message = "the consumer team watches other keys";
    const ended = within("the end", away.worker.take(1, NEVER));
    await expect(ended).rejects.toMatchObject({ kind: "conflict", message });
    await write("b", 1);
    expect(shownChanges(deliveries(await take()))).toEqual(["set b 0 1"]);
  });

  test("ends with conflict when it is deleted, and begins anew", async () => {
    await write("a", 2);
    const { worker, hold } = await workOnKeys(store, A);
    await hold(2);
    const ended = expect(within("the end", worker.take(1, NEVER), 3000)).rejects.toMatchObject({
      kind: "conflict",
    });
    expect(await store.deleteConsumer("team")).toBe(true);
    await ended;
    expect([await store.consumers(), await server.cli("xinfo", "groups", STREAM)]).toEqual([[], ""]);
    expect(shownChanges(await (await workOnKeys(store, A)).hold(2))).toEqual(["set a 0 1", "set a 1 1"]);
  });

  test("does not take a group that a deletion left behind for its own", async () => {
    await write("a", 2);
    await (await workOnKeys(store, A)).hold(1);
    await server.cli("del", `${ROOT}consumers`, `${ROOT}positions:team`); // and then the deleting process was killed
    expect(shownChanges(await (await workOnKeys(store, A)).hold(2))).toEqual(["set a 0 1", "set a 1 1"]);
  });
});
