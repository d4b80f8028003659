/** Replay: what is retained, by id over all channels, alone or joined without a seam to what comes. */
import { expect, test } from "vitest";
import type { Gap, Message } from "../../../src/core/types.ts";
import { until } from "../../helpers/until.ts";
import type { Board } from "../driver.ts";
import type { Target } from "../target.ts";

export function replay(target: Target): void {
  test("gives the newest of names and patterns, by id, and ends", async () => {
    const board = await target.open();
    await publishInTurn(target, board, ["a", "b1", "c", "a", "b2", "a"]);
    expect(await replayed(board, ["a"], { last: 2 })).toEqual(["a 3", "a 5"]);
    expect(await replayed(board, ["a", "b*"], { last: 3 })).toEqual(["a 3", "b2 4", "a 5"]);
    const aside = await target.aside(board);
    expect(await replayed(aside, ["*"], { last: 100 })).toEqual(["a 0", "b1 1", "c 2", "a 3", "b2 4", "a 5"]);
    expect(await replayed(aside, ["a", "*", "[a]"], { last: 2 })).toEqual(["b2 4", "a 5"]);
    expect(await replayed(board, ["*"], { last: 0 })).toEqual([]);
    expect(await replayed(aside, ["nothing", "none*"], { last: 5 })).toEqual([]);
  });

  test("begins behind an id, at a time, or some time ago", async () => {
    const board = await target.open();
    const ids = await publishInTurn(target, board, ["a", "b", "a", "b"]);
    expect(await replayed(board, ["*"], { since: ids[1] ?? "" })).toEqual(["a 2", "b 3"]);
    const aside = await target.aside(board);
    expect(await replayed(aside, ["b"], { since: ids[1] ?? "" })).toEqual(["b 3"]);
    expect(await replayed(aside, ["*"], { since: ids[3] ?? "" })).toEqual([]);
    const all = await replayMessages(board, ["*"], { since: 60_000 });
    expect(all.map(inWords)).toEqual(["a 0", "b 1", "a 2", "b 3"]);
    const at = all[0]?.at ?? 0;
    expect(await replayed(board, ["*"], { since: new Date(at) })).toEqual(["a 0", "b 1", "a 2", "b 3"]);
    expect(await replayed(aside, ["*"], { since: new Date(Date.now() + 60_000) })).toEqual([]);
  });

  test("hands on payloads, ids and authors as they were sent", async () => {
    const board = await target.open({ agent: "sender" });
    const payload = Buffer.from([0, 255, 10, 13, 9, 128]);
    const { id } = await board.publish("bytes", payload);
    const [message] = await replayMessages(board, ["bytes"], { last: 1 });
    expect(message).toMatchObject({ channel: "bytes", id, by: "sender", failure: null });
    expect(message?.payload.equals(payload)).toBe(true);
  });

  test("goes on with what comes: nothing is missed or doubled at the seam", async () => {
    const board = await target.open();
    const publisher = await target.aside(board);
    const total = 300;
    const payloads = Array.from({ length: total }, (_, index) => String(index));
    const channels = target.some([0, 1, 2]).map((round) => `channel-${round}`);
    for (const channel of channels) {
      const publishing = publisher.publishAll(channel, payloads);
      const subscription = await board.subscribe([channel], { last: total, count: total });
      expect((await subscription.take(total)).map(({ payload }) => String(payload))).toEqual(payloads);
      await publishing;
      await subscription.close();
    }
  });

  test("counts what it replays, and ends when that is enough", async () => {
    const board = await target.open();
    await publishInTurn(target, board, ["a", "a", "a"]);
    const subscription = await board.subscribe(["a"], { last: 3, count: 2 });
    expect((await subscription.take(2)).map(({ payload }) => String(payload))).toEqual(["0", "1"]);
    expect(await subscription.ended).toBe("done");
  });

  test("says where retention by count has dropped what was asked for", async () => {
    const board = await target.open({ place: target.placeWithHistory("messages_per_channel: 5") });
    const ids = await publishInTurn(target, board, [...Array(12).fill("a"), "b"]);
    const aside = await target.aside(board);
    const [first, asked] = [ids[0] ?? "", ids[2] ?? ""];
    const rest = ["a 7", "a 8", "a 9", "a 10", "a 11"];
    expect(await replayed(board, ["a"], { since: asked })).toEqual([`gap a ${asked} ${ids[7]}`, ...rest]);
    expect(await replayed(board, ["*"], { since: first })).toEqual([
      `gap a ${first} ${ids[7]}`,
      ...rest,
      "b 12",
    ]);
    expect(await replayed(aside, ["a"], { since: ids[6] ?? "" })).toEqual(rest);
    expect(await replayed(aside, ["a"], { last: 12 })).toEqual(rest);
    expect(await replayed(aside, ["b"], { since: first })).toEqual(["b 12"]);
  });

  test("shows nothing that is too old, and says that it was there", async () => {
    const board = await target.open({ place: target.placeWithHistory("max_age: 3s") });
    const aside = await target.aside(board);
    const before = await aside.publish("other", "x");
    await aside.publish("old", "x");
    await until(
      "the message is too old",
      async () => (await replayed(aside, ["old"], { last: 1 })).length === 0,
    );
    expect(await replayed(board, ["old"], { since: before.id })).toEqual([`gap old ${before.id} null`]);
    const { id } = await aside.publish("old", "fresh");
    expect(await replayed(board, ["old"], { since: before.id })).toEqual([
      `gap old ${before.id} ${id}`,
      "old fresh",
    ]);
  });

  test("does not count as a follower", async () => {
    const board = await target.open();
    await publishInTurn(target, board, ["a"]);
    await replayed(board, ["a"], { last: 1 });
    expect((await (await target.aside(board)).publish("a", "x")).receivers).toBe(0);
  });
}

type From = { readonly last: number } | { readonly since: string | Date | number };

/** One message a channel named; the payloads are their indexes. Their ids. */
async function publishInTurn(target: Target, board: Board, channels: readonly string[]): Promise<string[]> {
  const publisher = await target.aside(board);
  const ids: string[] = [];
  for (const [index, channel] of channels.entries()) {
    ids.push((await publisher.publish(channel, String(index))).id);
  }
  return ids;
}

/** What a replay gives, as words: `channel payload`, or `gap channel after next`. */
async function replayed(board: Board, channels: readonly string[], from: From): Promise<string[]> {
  const subscription = await board.subscribe(channels, { ...from, live: false });
  expect(await subscription.ended).toBe("done");
  return subscription.items().map(inWords);
}

async function replayMessages(
  board: Board,
  channels: readonly string[],
  from: From,
): Promise<readonly Message[]> {
  const subscription = await board.subscribe(channels, { ...from, live: false });
  await subscription.ended;
  return subscription.seen();
}

function inWords(item: Message | Gap): string {
  if ("gap" in item) return `gap ${item.gap.channel} ${item.gap.after} ${item.gap.next}`;
  return `${item.channel} ${item.payload}`;
}
