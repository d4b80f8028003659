/** Consumers on redis: what core/worker.ts promises, one worker beside another in one process. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type RedisStore, UnreachableError } from "../../src/backends/redis/index.ts";
import { idToNumber, numberToId } from "../../src/core/ids.ts";
import { bytes, follow, openBoard } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until, within } from "../helpers/until.ts";
import { deliveries, isNothingLeft, NEVER, send, shown, type Working, work } from "./redis-consumer-world.ts";

const ROOT = "timmy-bb:{timmy}:";
const STREAM = `${ROOT}channel:timmy:c`;
const KEEPING_5 = { history: { messagesPerChannel: 5, changes: 10, maxAgeMs: 86_400_000 } };
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

async function factsOf(consumer = "team") {
  const all = await store.consumers();
  return all.find((one) => one.consumer === consumer);
}

describe("handing out", () => {
  test("each message once, to one worker or the other, with all that is known of it", async () => {
    const ids = await send(store, 4);
    const [one, other] = [await work(store), await work(store)];
    const held = [...(await one.hold(1)), ...(await other.hold(2)), ...(await one.hold(1))];
    expect(held.map(({ entry }) => entry.id)).toEqual(ids);
    expect(held[0]).toEqual({
      entry: {
        channel: "timmy:c",
        payload: bytes("0"),
        id: ids[0],
        by: "me",
        at: Number(ids[0]?.split("-")[0]),
        failure: null,
      },
      attempt: 1,
    });
    expect(await isNothingLeft(store, one)).toBe(true);
  });

  test("up to so many at once, and no more than 4 MiB, but one at least", async () => {
    await send(store, 5);
    const { take } = await work(store);
    expect((await take(3)).length).toBe(3);
    expect((await within("the rest, at once", take(3), 3000)).length).toBe(2); // not only when it looks next
    for (let at = 0; at < 4; at++) await store.publish("timmy:c", Buffer.alloc(3 << 20, at), "me");
    await store.publish("timmy:c", Buffer.alloc(5 << 20, "x"), "me");
    expect((await take(10)).length).toBe(2);
    expect((await take(10)).length).toBe(2);
    expect(deliveries(await take(10))[0]?.entry.payload.length).toBe(5 << 20);
  });

  test("over several channels the oldest first, each channel in order", async () => {
    const sent: string[] = [];
    for (let at = 0; at < 60; at++) sent.push(...(await send(store, 1, `timmy:c${(at * 7) % 5}`, at)));
    const { take } = await work(store, { selection: { patterns: ["timmy:c*"] } });
    const taken: Array<string | null> = [];
    while (taken.length < 60) taken.push(...deliveries(await take(7)).map(({ entry }) => entry.id));
    expect(taken).toEqual(sent);
  });

  test("over more channels than are asked at once, none is forgotten", async () => {
    const channels = Array.from({ length: 100 }, (_, at) => `timmy:many:${at}`);
    for (const channel of channels) await send(store, 2, channel);
    const { take } = await work(store, { selection: { patterns: ["timmy:many:*"] } });
    const taken: string[] = [];
    while (taken.length < 200) taken.push(...deliveries(await take(50)).map(({ entry }) => entry.channel));
    expect(taken.sort()).toEqual([...channels, ...channels].sort());
  });

  test("wakes who waits, and counts as a receiver; a foreign message goes to no worker", async () => {
    const { take, worker } = await work(store);
    const taking = take();
    expect(await server.cli("publish", "timmy:c", "foreign")).toBe("1");
    expect((await store.publish("timmy:c", bytes("mine"), "me")).receivers).toBe(1);
    expect(shown(deliveries(await taking))).toEqual(["mine 1"]);
    expect((await store.channels("timmy:*"))[0]?.followers).toBe(1);
    await worker.close();
    const receivers = async () => (await store.publish("timmy:c", bytes("x"), "me")).receivers;
    await until("the server to see that it is gone", async () => (await receivers()) === 0);
  });

  test("nothing once it is told to stop, or is closed; what came too late goes to the next", async () => {
    const { worker } = await work(store);
    const stop = new AbortController();
    const taking = worker.take(1, stop.signal);
    stop.abort();
    expect(await taking).toEqual([]);
    const closing = worker.take(1, NEVER);
    await send(store, 1);
    await worker.close();
    expect((await closing).length).toBeLessThanOrEqual(1);
    expect(await worker.take(1, NEVER)).toEqual([]);
    expect(shown(await (await work(store)).hold(1))).toEqual(["0 1"]);
  });

  test("begins at the start or now, and only a new consumer begins", async () => {
    await send(store, 2);
    const late = await work(store, { consumer: "late", begin: "now" });
    await send(store, 2, "timmy:c", 2);
    expect(shown(await late.hold(1))).toEqual(["2 1"]);
    expect(shown(await (await work(store, { consumer: "late" })).hold(1))).toEqual(["3 1"]);
    const first = await work(store, { consumer: "first" });
    expect(shown(await first.hold(4))).toEqual(["0 1", "1 1", "2 1", "3 1"]);
  });

  test("a channel born later is read from its first message, by a pattern", async () => {
    const { hold } = await work(store, { selection: { patterns: ["timmy:job:*"] }, begin: "now" });
    await send(store, 2, "timmy:job:1");
    await send(store, 1, "timmy:other");
    await send(store, 1, "timmy:job:2", 2);
    expect(shown(await hold(3))).toEqual(["0 1", "1 1", "2 1"]);
  });

  test("an entry that is not timmy-bb's is passed over", async () => {
    await send(store, 1);
    const later = 1024 * (Date.now() + 1000);
    await server.cli("xadd", STREAM, `${later / 1024}-0`, "foreign", "x");
    await server.cli("set", `${ROOT}id`, String(later));
    await server.cli("zadd", `${ROOT}channels`, String(later), "timmy:c");
    await send(store, 1, "timmy:c", 1);
    const { hold } = await work(store);
    expect(shown(await hold(2))).toEqual(["0 1", "1 1"]);
  });
});

describe("what is held", () => {
  test("an acknowledged message is done, and may be acknowledged twice", async () => {
    await send(store, 3);
    const { hold, worker } = await work(store);
    const held = await hold(3);
    await Promise.all(held.map((delivery) => worker.ack(delivery)));
    await worker.ack(held[0] ?? expect.unreachable());
    expect((await factsOf())?.channels).toMatchObject([{ pending: 0, lag: 0 }]);
  });

  test("is given back at once, in its order, before what is newer, and not counted", async () => {
    await send(store, 3);
    const [one, other] = [await work(store), await work(store)];
    const [first, second] = await one.hold(2);
    for (const delivery of [second, first]) await one.worker.release(delivery ?? expect.unreachable());
    expect(shown(deliveries(await other.take(5)))).toEqual(["0 1", "1 1", "2 1"]);
  });

  test("wakes the one who waits when it is given back, by release or by closing", async () => {
    await send(store, 2);
    const one = await work(store);
    const [first, second] = await one.hold(2);
    const other = await work(store);
    const taking = other.take();
    await one.worker.release(second ?? expect.unreachable());
    expect(shown(deliveries(await within("the released", taking, 3000)))).toEqual(["1 1"]);
    const waiting = other.take();
    await one.worker.close();
    expect(deliveries(await within("the left", waiting, 3000))).toEqual([first]);
  });

  test("can be tried again by the same worker, and each time counts", async () => {
    await send(store, 1);
    const { hold, worker } = await work(store);
    const [first] = await hold(1);
    const second = await worker.retry(first ?? expect.unreachable());
    const third = await worker.retry(second ?? expect.unreachable());
    expect([second?.attempt, third?.attempt]).toEqual([2, 3]);
    await worker.close();
    expect(shown(await (await work(store)).hold(1))).toEqual(["0 3"]);
  });

  test("can be given up: byte for byte, with its failure, live and from the log", async () => {
    const payload = Buffer.from([0, 255, 10, 13]);
    const { id } = await store.publish("timmy:c", payload, "sender");
    const { hold, worker } = await work(store, { agent: "worker" });
    const live = await follow(store, { channels: ["timmy:c:failed"] });
    const [held] = await hold(1);
    expect(await worker.giveUp(held ?? expect.unreachable(), "exited 3\nand more")).toBe(true);
    const failure = {
      channel: "timmy:c",
      id,
      by: "sender",
      consumer: "team",
      attempts: 1,
      reason: "exited 3\nand more",
    };
    const [heard] = await live.take(1);
    const logged = await follow(store, { channels: ["timmy:c:failed"] }, { from: { last: 1 }, live: false });
    expect([heard, ...(await logged.take(1))]).toEqual([heard, heard]);
    expect(heard).toMatchObject({ channel: "timmy:c:failed", payload, by: "worker", failure });
    const second = await work(store, { consumer: "second", selection: { channels: ["timmy:c:failed"] } });
    expect((await second.hold(1))[0]?.entry).toEqual(heard);
    expect((await factsOf())?.channels).toMatchObject([{ pending: 0, lag: 0 }]);
    expect(await worker.giveUp(held ?? expect.unreachable(), "again")).toBe(false);
    expect(await server.cli("xlen", `${ROOT}channel:timmy:c:failed`)).toBe("1");
  });

  test("that retention drops meanwhile can still be finished by its worker", async () => {
    const board = await openBoard(server.url, KEEPING_5);
    await send(board, 2);
    const { hold, worker } = await work(board, { ackTimeoutMs: 150 });
    const [first, second] = await hold(2);
    await send(board, 5, "timmy:c", 2);
    const other = await work(board, { ackTimeoutMs: 150 });
    expect(shown(deliveries(await other.take(9)))).toEqual(["2 1", "3 1", "4 1", "5 1", "6 1"]);
    await expectNothing(other, 150);
    const again = await worker.retry(first ?? expect.unreachable());
    expect(again?.attempt).toBe(2);
    expect(await worker.giveUp(again ?? expect.unreachable(), "bad")).toBe(true);
    await worker.ack(second ?? expect.unreachable());
    expect(Number(await server.cli("xlen", `${ROOT}channel:timmy:c:failed`))).toBe(1);
  });

  test("is taken over when its time is up, and then is the other's alone", async () => {
    await send(store, 1);
    const one = await work(store, { ackTimeoutMs: 60_000 });
    const [held] = await one.hold(1);
    // as if the worker had not renewed: nothing of this process can be stopped and go on testing
    const [member = ""] = (await server.cli("xinfo", "consumers", STREAM, "team")).split("\n").slice(1);
    const id = held?.entry.id ?? "";
    await server.cli("xclaim", STREAM, "team", member, "0", id, "IDLE", "70000", "JUSTID");
    const other = await work(store, { ackTimeoutMs: 100 });
    expect(shown(await other.hold(1))).toEqual(["0 2"]);
    expect(await one.worker.retry(held ?? expect.unreachable())).toBe(null);
    expect(await one.worker.giveUp(held ?? expect.unreachable(), "bad")).toBe(false);
    expect(await store.channels("timmy:c:failed")).toEqual([]);
  });

  test("a worker that was stopped for long does not take over what it holds itself", async () => {
    await send(store, 1);
    const { hold, take } = await work(store, { ackTimeoutMs: 60_000 });
    const [held = expect.unreachable()] = await hold(1);
    const [member = ""] = (await server.cli("xinfo", "consumers", STREAM, "team")).split("\n").slice(1);
    const id = held.entry.id ?? "";
    await server.cli("xclaim", STREAM, "team", member, "0", id, "IDLE", "70000", "JUSTID");
    await send(store, 1, "timmy:c", 1);
    expect(shown(deliveries(await take(5)))).toEqual(["1 1"]);
  });

  test("a worker with a short ack timeout does not take from a living one with a long one", async () => {
    await send(store, 1);
    await (await work(store, { ackTimeoutMs: 60_000 })).hold(1);
    await expectNothing(await work(store, { ackTimeoutMs: 100 }), 100);
  });
});

/** That a worker gets nothing for much longer than its ack timeout, although it looks. */
async function expectNothing({ worker }: Working, ackTimeoutMs: number): Promise<void> {
  const stop = new AbortController();
  const taking = worker.take(1, stop.signal);
  const [since, before] = [performance.now(), Number(await looks())];
  const isLong = async () =>
    performance.now() > since + 2 * ackTimeoutMs && Number(await looks()) > before + 4;
  await until("a few looks", isLong);
  stop.abort();
  expect(await taking).toEqual([]);
}

/** How often workers have looked for what others left behind. */
async function looks(): Promise<string> {
  return /cmdstat_hscan:calls=(\d+)/.exec(await server.cli("info", "commandstats"))?.[1] ?? "0";
}

describe("what is lost to retention", () => {
  test("stands as a gap before the next message of its channel, and is not counted in the lag", async () => {
    const board = await openBoard(server.url, KEEPING_5);
    const [first = ""] = await send(board, 1);
    const { hold, take } = await work(board);
    await hold(1);
    const ids = await send(board, 12, "timmy:c", 1);
    expect((await factsOf())?.channels).toMatchObject([{ position: first, lag: 5 }]);
    const [gap, ...items] = await take(2);
    expect(gap).toEqual({ gap: { channel: "timmy:c", after: first, next: ids[7] } });
    expect(shown(deliveries(items))).toEqual(["8 1", "9 1"]);
    expect((await factsOf())?.channels).toMatchObject([{ position: ids[8], lag: 3 }]);
    expect(shown(deliveries(await take(9)))).toEqual(["10 1", "11 1", "12 1"]);
  });

  test("is told of each message whose worker died, once", async () => {
    const board = await openBoard(server.url, KEEPING_5);
    const dying = await openBoard(server.url, KEEPING_5);
    await send(board, 2);
    const held = await (await work(dying, { ackTimeoutMs: 100 })).hold(2);
    const ids = [...held.map(({ entry }) => entry.id), ...(await send(board, 5, "timmy:c", 2))];
    await dying.close();
    await until("the server to notice", async () => !(await factsOf())?.workers[0]?.isAlive);
    const { take } = await work(board, { ackTimeoutMs: 100 });
    const items = [...(await take(5))];
    while (items.length < 7) items.push(...(await take(5)));
    const nextTo = (id: string | null | undefined) => numberToId((idToNumber(id ?? "") ?? 0) - 1);
    expect(items.slice(0, 2)).toEqual([
      { gap: { channel: "timmy:c", after: nextTo(ids[0]), next: ids[2] } },
      { gap: { channel: "timmy:c", after: nextTo(ids[1]), next: ids[2] } },
    ]);
    expect(shown(deliveries(items.slice(2)))).toEqual(["2 1", "3 1", "4 1", "5 1", "6 1"]);
    expect((await factsOf())?.workers).toMatchObject([{ pending: 5, isAlive: true }]);
  });

  test("a stream that expired: the position stays, nothing comes twice and no gap is made up", async () => {
    await send(store, 2);
    const { take } = await work(store);
    await take(2);
    await server.cli("del", STREAM);
    await send(store, 1, "timmy:c", 2);
    expect(shown(deliveries(await take()))).toEqual(["2 1"]);
    const { position } = (await factsOf())?.channels[0] ?? {};
    await send(store, 1, "timmy:c", 3);
    await server.cli("del", STREAM);
    const [next] = await send(store, 1, "timmy:c", 4);
    const [gap, ...items] = await take(2);
    expect(gap).toEqual({ gap: { channel: "timmy:c", after: position, next } });
    expect(shown(deliveries(items))).toEqual(["4 1"]);
  });

  test("a group that somebody destroyed: it goes on at its position", async () => {
    await send(store, 2);
    const { take } = await work(store);
    await take(1);
    await server.cli("xgroup", "destroy", STREAM, "team");
    expect(shown(deliveries(await take(5)))).toEqual(["1 1"]);
  });

  test("what is older than is kept is not handed out", async () => {
    const board = await openBoard(server.url, {
      history: { messagesPerChannel: 100, changes: 10, maxAgeMs: 300 },
    });
    const [old = ""] = await send(board, 1);
    await until("it is too old", () => Date.now() > Number(old.split("-")[0]) + 350);
    const [next] = await send(board, 1, "timmy:c", 1);
    const [gap, ...items] = await (await work(board)).take(2);
    expect(gap).toEqual({ gap: { channel: "timmy:c", after: "0-0", next } });
    expect(shown(deliveries(items))).toEqual(["1 1"]);
  });
});

describe("consumers from outside", () => {
  test("are listed with their channels and workers", async () => {
    const ids = await send(store, 3);
    await send(store, 1, "timmy:d");
    const one = await work(store, { selection: { channels: ["timmy:c"], patterns: ["timmy:d*"] } });
    const [first] = await one.hold(2);
    await one.worker.ack(first ?? expect.unreachable());
    const dying = await openBoard(server.url);
    await (await work(dying, { agent: "dying" })).hold(1);
    await dying.close();
    const facts = await factsOf();
    expect(facts?.channels).toContainEqual({ channel: "timmy:c", position: ids[2], pending: 2, lag: 0 });
    expect(facts?.channels).toContainEqual({ channel: "timmy:d", position: "0-0", pending: 0, lag: 1 });
    expect(facts?.workers).toContainEqual({
      worker: expect.stringMatching(/^me#[0-9a-f]{8}$/),
      pending: 1,
      isAlive: true,
    });
    expect(facts?.workers).toContainEqual({
      worker: expect.stringMatching(/^dying#[0-9a-f]{8}$/),
      pending: 1,
      isAlive: false,
    });
  });

  test("count what is behind them exactly, where the server has lost count", async () => {
    await send(store, 700);
    const late = await work(store, { consumer: "late", begin: "now" });
    await send(store, 300, "timmy:c", 700);
    const lag = async () => (await factsOf("late"))?.channels[0]?.lag;
    expect(await lag()).toBe(300);
    await late.hold(1);
    expect(await lag()).toBe(299);
  });

  test("are told apart when one's name begins with another's", async () => {
    await work(store, { consumer: "a" });
    await work(store, { consumer: "a:b", agent: "c" });
    await work(store, { consumer: "a*" });
    for (const consumer of ["a", "a:b", "a*"])
      expect((await factsOf(consumer))?.workers).toMatchObject([{ isAlive: true }]);
  });

  test("keep no members that hold nothing", async () => {
    await send(store, 2);
    const { hold, worker } = await work(store);
    for (const delivery of await hold(2)) await worker.ack(delivery);
    await worker.close();
    expect(await server.cli("xinfo", "consumers", STREAM, "team")).toBe("");
    expect((await factsOf())?.workers).toEqual([]);
  });

  test("forget members that ended without a word, and positions in channels that are forgotten", async () => {
    await send(store, 1);
    const { hold, worker } = await work(store, { ackTimeoutMs: 100 });
    await hold(1);
    await server.cli("xgroup", "createconsumer", STREAM, "team", "killed#00000000:100");
    await server.cli("hset", `${ROOT}positions:team`, "timmy:gone", "1");
    await until("both are forgotten", async () => {
      await send(store, 100);
      for (const delivery of await hold(100)) await worker.ack(delivery); // one in 64 does the tidying
      const members = await server.cli("xinfo", "consumers", STREAM, "team");
      return !members.includes("killed") && (await server.cli("hlen", `${ROOT}positions:team`)) === "1";
    });
  });

  test("end with conflict when they are deleted, and begin anew", async () => {
    await send(store, 2);
    const { worker, hold } = await work(store);
    const [held] = await hold(2);
    const taking = expect(within("the end", worker.take(1, NEVER), 3000)).rejects.toMatchObject({
      kind: "conflict",
      message: "the consumer team was deleted",
    });
    const idle = await work(store);
    expect(await store.deleteConsumer("team")).toBe(true);
    await taking;
    expect(await store.deleteConsumer("team")).toBe(false);
    expect([await store.consumers(), await server.cli("xinfo", "groups", STREAM)]).toEqual([[], ""]);
    await worker.ack(held ?? expect.unreachable());
    expect(await worker.retry(held ?? expect.unreachable())).toBe(null);
    expect(shown(await (await work(store)).hold(2))).toEqual(["0 1", "1 1"]);
    await expect(idle.worker.take(1, NEVER)).rejects.toMatchObject({ kind: "conflict" });
  });

  test("a group that a deletion left behind is not taken for the new consumer's", async () => {
    await send(store, 2);
    await (await work(store)).hold(1);
    await server.cli("del", `${ROOT}consumers`, `${ROOT}positions:team`); // and then the deleting process was killed
    expect(shown(await (await work(store)).hold(2))).toEqual(["0 1", "1 1"]);
  });

  test("on a board that keeps no messages: config", async () => {
    const board = await openBoard(server.url, {
      history: { messagesPerChannel: 0, changes: 10, maxAgeMs: 1000 },
    });
    await expect(work(board)).rejects.toMatchObject({
      kind: "config",
      hint: expect.stringContaining("messages_per_channel"),
    });
  });

  test("on a server that is not there: unreachable, and nothing goes on", async () => {
    const gone = await RedisServer.start();
    const board = await openBoard(gone.url);
    await gone.stop();
    await expect(work(board)).rejects.toBeInstanceOf(UnreachableError);
  });

  test("on a full server: what is there can be handled", async () => {
    await send(store, 2);
    const { hold, worker } = await work(store);
    await server.cli("config", "set", "maxmemory", "1");
    try {
      for (const delivery of await hold(2)) await worker.ack(delivery);
      expect((await factsOf())?.channels).toMatchObject([{ pending: 0, lag: 0 }]);
      await expect(work(store, { consumer: "new" })).rejects.toMatchObject({ kind: "unavailable" });
    } finally {
      await server.cli("config", "set", "maxmemory", "0");
    }
  });
});
