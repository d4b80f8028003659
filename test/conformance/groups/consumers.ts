/** Durable consumers: a name keeps its place, its workers share, and what cannot be handled goes aside. */
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import { type Board, failureOf, type Subscription } from "../driver.ts";
import type { Target } from "../target.ts";

export function consumers(target: Target): void {
  test("go on where they stopped, whoever works", async () => {
    const board = await target.open();
    await publish(target, board, "jobs", 5);
    expect(await work(board, 2)).toEqual(["0", "1"]);
    const aside = await target.aside(board);
    expect(await work(aside, 1)).toEqual(["2"]);
    await aside.publish("jobs", "5");
    expect(await work(board, 3)).toEqual(["3", "4", "5"]);
    expect(await work(aside, 1, 300)).toEqual([]);
  });

  test("begin with what is retained, or now, and only when they are new", async () => {
    const board = await target.open();
    const publisher = await target.aside(board);
    await publish(target, board, "jobs", 2);
    const late = await board.subscribe(["jobs"], { consumer: "late", begin: "now", count: 1 });
    await publisher.publish("jobs", "2");
    expect(texts(await late.take(1))).toEqual(["2"]);
    expect(await late.ended).toBe("done");
    await publisher.publish("jobs", "3");
    const again = await publisher.subscribe(["jobs"], { consumer: "late", begin: "start", count: 1 });
    expect(texts(await again.take(1))).toEqual(["3"]);
    const first = await board.subscribe(["jobs"], { consumer: "first", begin: "start", count: 4 });
    expect(texts(await first.take(4))).toEqual(["0", "1", "2", "3"]);
  });

  test("share among their workers, each message handled by one", async () => {
    const board = await target.open();
    const publisher = await target.aside(board);
    const workers = [
      await board.subscribe(["jobs"], { consumer: "team" }),
      await board.subscribe(["jobs"], { consumer: "team" }),
    ];
    const payloads = Array.from({ length: 100 }, (_, index) => String(index));
    await publisher.publishAll("jobs", payloads);
    const handled = () => workers.flatMap((worker) => texts(worker.seen()));
    await until("all are handled", () => handled().length >= payloads.length);
    expect(handled().sort()).toEqual([...payloads].sort());
    for (const worker of workers) expectOrdered(worker);
  });

  test("do not share with each other", async () => {
    const board = await target.open();
    await publish(target, board, "jobs", 3);
    for (const [consumer, one] of [
      ["one", board],
      ["two", await target.aside(board)],
    ] as const) {
      const worker = await one.subscribe(["jobs"], { consumer, count: 3 });
      expect(texts(await worker.take(3))).toEqual(["0", "1", "2"]);
    }
  });

  test("follow patterns, into channels that were not there when they began", async () => {
    const board = await target.open();
    const publisher = await target.aside(board);
    await publisher.publish("job:1", "a");
    const worker = await board.subscribe(["job:*"], { consumer: "all", count: 2 });
    expect(texts(await worker.take(1))).toEqual(["a"]);
    await publisher.publish("other", "no");
    await publisher.publish("job:2", "b");
    expect(texts(await worker.take(2))).toEqual(["a", "b"]);
    await worker.ended;
    await publisher.publish("job:3", "while nobody worked");
    const next = await publisher.subscribe(["job:*"], { consumer: "all", count: 1 });
    expect(texts(await next.take(1))).toEqual(["while nobody worked"]);
  });

  test("hear at once what is sent, and count as receivers", async () => {
    const board = await target.open();
    const publisher = await target.aside(board);
    const worker = await board.subscribe(["jobs"], { consumer: "ears" });
    expect((await publisher.publish("jobs", "now")).receivers).toBe(1);
    const [message] = await worker.take(1);
    expect(message).toMatchObject({ channel: "jobs", by: "tester", failure: null });
  });

  test("say where retention was faster than they", async () => {
    const board = await target.open({ place: target.placeWithHistory("messages_per_channel: 5") });
    const publisher = await target.aside(board);
    const first = await publisher.publish("jobs", "0");
    expect(await work(publisher, 1)).toEqual(["0"]);
    const ids = await publish(target, board, "jobs", 12);
    const worker = await board.subscribe(["jobs"], { consumer: "team", count: 5 });
    expect(texts(await worker.take(5))).toEqual(["7", "8", "9", "10", "11"]);
    expect(worker.items()[0]).toEqual({ gap: { channel: "jobs", after: first.id, next: ids[7] } });
  });

  test("are listed with what they have before them, and who works", async () => {
    const board = await target.open();
    expect(await board.consumers()).toEqual([]);
    const ids = await publish(target, board, "jobs", 3);
    expect(await work(await target.aside(board), 2)).toEqual(["0", "1"]);
    expect(await board.consumers()).toEqual([
      {
        consumer: "team",
        channels: [{ channel: "jobs", position: ids[1], pending: 0, lag: 1 }],
        workers: [],
      },
    ]);
    const worker = await board.subscribe(["jobs", "more*"], { consumer: "team" });
    await worker.take(1);
    const aside = await target.aside(board);
    await until("nothing is pending", async () => (await aside.consumers())[0]?.channels[0]?.pending === 0);
    const [facts] = await board.consumers();
    expect(facts?.workers).toMatchObject([{ pending: 0, isAlive: true }]);
    expect(facts?.channels).toMatchObject([{ position: ids[2], pending: 0, lag: 0 }]);
  });

  test("can be deleted: their workers end, and the name is new again", async () => {
    const board = await target.open();
    const other = await target.aside(board);
    await publish(target, board, "jobs", 2);
    const worker = await board.subscribe(["jobs"], { consumer: "team" });
    await worker.take(2);
    expect(await other.deleteConsumer("team")).toBe(true);
    expect((await failureOf(worker.ended)).kind).toBe("conflict");
    expect(await other.consumers()).toEqual([]);
    expect(await board.deleteConsumer("team")).toBe(false);
    expect(await work(other, 2)).toEqual(["0", "1"]);
  });

  test("pass on what they fail at, with the reason, and go on", async () => {
    const board = await target.open();
    const ids = await publish(target, board, "jobs", 2);
    await board.failAtOne("jobs", "team", 1);
    expect(await work(board, 1)).toEqual(["1"]);
    const failed = await board.subscribe(["jobs:failed"], { last: 1, live: false });
    await failed.ended;
    expect(texts(failed.seen())).toEqual(["0"]);
    expect(failed.seen()[0]?.failure).toEqual({
      channel: "jobs",
      key: null,
      event: null,
      id: ids[0],
      by: "tester",
      consumer: "team",
      attempts: 2,
      reason: "exited 1",
    });
  });

  test("do not take back, by a pattern, what they passed on", async () => {
    const board = await target.open();
    await publish(target, board, "jobs", 1);
    await board.failAtOne("jobs*", "team", 0);
    const worker = await board.subscribe(["jobs*"], { consumer: "team", waitMs: 400 });
    expect(await worker.ended).toBe("timeout");
    expect(worker.items()).toEqual([]);
    const aside = await target.aside(board);
    expect((await aside.consumers())[0]?.channels.map(({ pending, lag }) => pending + lag)).toEqual([0, 0]);
    const other = await aside.subscribe(["jobs*"], { consumer: "others", count: 2 });
    expect((await other.take(2)).map(({ channel }) => channel)).toEqual(["jobs", "jobs:failed"]);
  });

  test("need a log: a board that keeps none refuses them", async () => {
    const board = await target.open({ place: target.placeWithHistory("messages_per_channel: 0") });
    const failure = await failureOf(board.subscribe(["jobs"], { consumer: "team" }));
    expect(failure.kind).toBe("config");
  });
}

/** Messages "0", "1", … on a channel; their ids. */
async function publish(target: Target, board: Board, channel: string, count: number): Promise<string[]> {
  const payloads = Array.from({ length: count }, (_, index) => String(index));
  return (await (await target.aside(board)).publishAll(channel, payloads)).map(({ id }) => id);
}

/** What a new worker of the consumer "team" handles until it has enough, or until that time is over. */
async function work(board: Board, count: number, waitMs = 20_000): Promise<string[]> {
  const worker = await board.subscribe(["jobs"], { consumer: "team", count, waitMs });
  await worker.ended;
  return texts(worker.seen());
}

function texts(messages: Subscription["seen"] extends () => infer Seen ? Seen : never): string[] {
  return messages.map(({ payload }) => String(payload));
}

function expectOrdered(worker: Subscription): void {
  const numbers = texts(worker.seen()).map(Number);
  expect(numbers).toEqual([...numbers].sort((left, right) => left - right));
}
