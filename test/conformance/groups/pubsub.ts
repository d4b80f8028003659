/** Publish and subscribe: from readiness on every message once, in order, as it was sent. */
import { expect, test } from "vitest";
import { idToNumber } from "../../../src/core/ids.ts";
import type { Message } from "../../../src/core/types.ts";
import { until } from "../../helpers/until.ts";
import type { Target } from "../target.ts";

const PAYLOADS: ReadonlyArray<string | Uint8Array> = [
  "",
  "text",
  "two\nlines\n",
  "\r\n\t ",
  "-",
  "--json",
  "日本語 🦊",
  Buffer.from("a\0b"),
  Buffer.from([0xff, 0xfe, 0x00, 0x80]),
  Buffer.alloc(300_000, 0xc3),
];

export function pubsub(target: Target): void {
  test("leaves no gap between readiness and the first message", async () => {
    const board = await target.open();
    const publisher = await target.aside(board);
    for (const round of target.some([0, 1, 2])) {
      const subscription = await board.subscribe([`channel-${round}`]);
      const { receivers } = await publisher.publish(`channel-${round}`, "at once");
      expect(receivers).toBe(1);
      expect(String((await subscription.take(1))[0]?.payload)).toBe("at once");
      await subscription.close();
    }
  });

  test("to nobody reaches nobody, and is retained", async () => {
    const board = await target.open();
    const { receivers, id } = await board.publish("channel", "anyone?");
    expect(receivers).toBe(0);
    const aside = await target.aside(board);
    expect(await aside.channels()).toMatchObject([{ messages: 1, lastId: id }]);
    const subscription = await board.subscribe(["channel"], { count: 1 });
    await aside.publish("channel", "the first after");
    expect((await subscription.take(1)).map(({ payload }) => String(payload))).toEqual(["the first after"]);
    expect(await subscription.ended).toBe("done");
  });

  test("counts those it reaches, each once, however many of its names match", async () => {
    const board = await target.open();
    const other = await target.open();
    const subscriptions = await Promise.all([
      board.subscribe(["jobs"]).then(async (first) => [first, await board.subscribe(["jo*", "jobs", "*"])]),
      other.subscribe(["jobs"]),
    ]);
    expect((await board.publish("jobs", "x")).receivers).toBe(2);
    const aside = await target.aside(board);
    expect((await aside.publish("jo", "x")).receivers).toBe(1);
    expect((await (await target.aside(other)).publish("jobs", "x")).receivers).toBe(1);
    await subscriptions[0][0]?.close();
    await until("one receiver less", async () => (await aside.publish("jobs", "x")).receivers === 1);
  });

  test("keeps the order and the ids of 200 messages", async () => {
    const board = await target.open();
    const subscription = await board.subscribe(["log"], { count: 200 });
    const payloads = Array.from({ length: 200 }, (_, index) => `message ${index}`);
    const published = await board.publishAll("log", payloads);
    const messages = await subscription.take(200);
    expect(messages.map(({ payload }) => String(payload))).toEqual(payloads);
    expect(messages.map(({ id }) => id)).toEqual(published.map(({ id }) => id));
    expectGrowing(messages);
    expect(await subscription.ended).toBe("done");
  });

  test("hands on every payload byte for byte", async () => {
    const board = await target.open();
    const subscription = await board.subscribe(["bytes", "others"]);
    const payloads = target.some(PAYLOADS);
    for (const payload of payloads) await board.publish("bytes", payload);
    const messages = await subscription.take(payloads.length);
    for (const [index, payload] of payloads.entries()) {
      expect(messages[index]?.payload.equals(Buffer.from(payload)), String(index)).toBe(true);
    }
  });

  test("says who sent each message, when, and on which channel", async () => {
    const board = await target.open({ agent: "sender, with blanks" });
    const subscription = await board.subscribe(["a channel: with 日本 [names]\\*"]);
    await subscription.close(); // that was a pattern, for it has glob characters
    const exact = await board.subscribe(["日本: a channel"]);
    const before = Date.now();
    const { id } = await board.publish("日本: a channel", "x");
    const after = Date.now();
    const [message] = await exact.take(1);
    expect(message).toMatchObject({ channel: "日本: a channel", id, by: "sender, with blanks" });
    expect(message?.at).toBeGreaterThanOrEqual(before - 2);
    expect(message?.at).toBeLessThanOrEqual(after + 2);
  });

  test("follows several names and patterns; what matches twice comes once", async () => {
    const board = await target.open();
    const publisher = await target.aside(board);
    const subscription = await board.subscribe(["exact", "job:*", "job:1", "*:1", "job:[12]", "é?"]);
    const sent = ["exact", "job:1", "job:2", "other:1", "no", "exactly", "job", "éa", "job:1"];
    for (const [index, channel] of sent.entries()) await publisher.publish(channel, String(index));
    await publisher.publish("exact", "end");
    const heard = (await subscription.take(7)).map(({ channel, payload }) => `${channel} ${payload}`);
    expect(heard).toEqual(["exact 0", "job:1 1", "job:2 2", "other:1 3", "éa 7", "job:1 8", "exact end"]);
    expect(subscription.seen()).toHaveLength(7);
  });

  test("escaped glob characters name a channel", async () => {
    const board = await target.open();
    const subscription = await board.subscribe(["a\\*"]);
    const publisher = await target.aside(board);
    for (const channel of ["ab", "a*", "a\\*"]) await publisher.publish(channel, channel);
    expect((await subscription.take(1))[0]?.channel).toBe("a*");
    await publisher.publish("a*", "again");
    expect((await subscription.take(2)).map(({ channel }) => channel)).toEqual(["a*", "a*"]);
  });

  test("hears nothing of other boards", async () => {
    const [board, other] = [await target.open({ prefix: "x" }), await target.open({ prefix: "x*" })];
    const subscription = await board.subscribe(["*"]);
    const ofOther = await other.subscribe(["*"]);
    await (await target.aside(other)).publish("channel", "not yours");
    await (await target.aside(board)).publish("channel", "yours");
    expect((await subscription.take(1)).map(({ payload }) => String(payload))).toEqual(["yours"]);
    expect((await ofOther.take(1)).map(({ payload }) => String(payload))).toEqual(["not yours"]);
  });

  test("loses nothing to a board of the same prefix in another database or file", async () => {
    const board = await target.open();
    const [here, there] = [
      await target.aside(board),
      await target.aside({ settings: { ...board.settings, place: target.emptyPlace() } }),
    ];
    const subscription = await board.subscribe(["channel"]);
    const ids: (string | null)[] = [];
    for (let round = 0; round < 100; round++) {
      // Several there for one here, so that ids there run ahead within a millisecond.
      const both = [there, there, there, here].map((one) =>
        one.publish("channel", one === here ? "here" : "there"),
      );
      ids.push((await Promise.all(both))[3]?.id ?? null);
    }
    ids.push((await here.publish("channel", "here")).id);
    const heard = () => subscription.seen().filter(({ payload }) => String(payload) === "here");
    await until("the last message", () => heard().some(({ id }) => id === ids.at(-1)));
    expect(heard().map(({ id }) => id)).toEqual(ids);
  });

  test("goes from process to process, and many at once stay in order", async () => {
    const board = await target.open();
    const subscription = await board.subscribe(["shared"]);
    const processes = Array.from({ length: 4 }, (_, index) => `process ${index}`);
    await Promise.all(
      processes.map((payload) => board.elsewhere({ do: "publish", channel: "shared", payload })),
    );
    const messages = await subscription.take(processes.length);
    expect(messages.map(({ payload }) => String(payload)).sort()).toEqual(processes);
    expectGrowing(messages);
  });

  test("ids grow over channels, writes and boards in turn", async () => {
    const board = await target.open();
    const second = await target.aside(board);
    const ids = [];
    for (let round = 0; round < 3; round++) {
      ids.push((await board.publish("a", "x")).id, (await second.publish("b", "x")).id);
      const written = await board.set("key", "v");
      if (written.written) ids.push(written.id);
    }
    const numbers = ids.map((id) => idToNumber(id) ?? Number.NaN);
    expect(numbers).toEqual([...new Set(numbers)].sort((left, right) => left - right));
    expect(numbers).toHaveLength(9);
  });

  test("waits no longer than told", async () => {
    const board = await target.open();
    const begun = Date.now();
    const subscription = await board.subscribe(["silent"], { count: 2, waitMs: 1500 });
    await (await target.aside(board)).publish("silent", "one of two");
    expect(await subscription.ended).toBe("timeout");
    expect(Date.now() - begun).toBeGreaterThanOrEqual(1500);
    expect(subscription.seen()).toHaveLength(1);
  });
}

function expectGrowing(messages: readonly Message[]): void {
  const numbers = messages.map(({ id }) => idToNumber(id ?? "") ?? Number.NaN);
  for (const [index, number] of numbers.entries()) {
    if (index > 0) expect(number).toBeGreaterThan(numbers[index - 1] ?? Number.NaN);
  }
  expect(numbers.every(Number.isSafeInteger)).toBe(true);
}
