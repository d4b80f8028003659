/** The list of channels: those with retained messages or live followers, of this board only. */
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import type { Target } from "../target.ts";

export function channels(target: Target): void {
  test("shows what is retained, and the id of the newest", async () => {
    const board = await target.open();
    const publisher = await target.aside(board);
    await publisher.publish("jobs", "1");
    const { id } = await publisher.publish("jobs", "2");
    const other = await publisher.publish("a channel with blanks 🦊", "3");
    expect(await board.channels()).toEqual([
      { channel: "a channel with blanks 🦊", messages: 1, followers: 0, lastId: other.id },
      { channel: "jobs", messages: 2, followers: 0, lastId: id },
    ]);
  });

  test("shows what is followed, patterns included, until it is not", async () => {
    const board = await target.open();
    const exact = await board.subscribe(["followed"]);
    const pattern = await board.subscribe(["f*", "jobs"]);
    const aside = await target.aside(board);
    await aside.publish("fresh", "x");
    expect(await board.channels()).toMatchObject([
      { channel: "followed", messages: 0, followers: 2, lastId: null },
      { channel: "fresh", messages: 1, followers: 1 },
      { channel: "jobs", messages: 0, followers: 1, lastId: null },
    ]);
    await Promise.all([exact.close(), pattern.close()]);
    await until("no follower left", async () =>
      (await aside.channels()).every(({ followers }) => followers === 0),
    );
    expect((await aside.channels()).map(({ channel }) => channel)).toEqual(["fresh"]);
  });

  test("takes a pattern, and shows nothing of other boards", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    const other = await target.aside({ settings: target.settings() });
    for (const channel of ["job:1", "job:2", "log"]) await aside.publish(channel, "x");
    await other.publish("job:3", "x");
    expect((await board.channels("job:*")).map(({ channel }) => channel)).toEqual(["job:1", "job:2"]);
    expect((await aside.channels("job:[^1]")).map(({ channel }) => channel)).toEqual(["job:2"]);
    expect(await board.channels("nothing*")).toEqual([]);
    expect((await other.channels()).map(({ channel }) => channel)).toEqual(["job:3"]);
  });

  test("are no keys, and keys are no channels", async () => {
    const board = await target.open();
    const aside = await target.aside(board);
    await aside.publish("same", "message");
    expect(await board.keys()).toEqual([]);
    expect(await aside.get("same")).toBeNull();
    await aside.set("same", "value");
    await aside.set("only-a-key", "value");
    expect((await board.channels()).map(({ channel }) => channel)).toEqual(["same"]);
    expect(await board.clear()).toBe(2);
    expect(await aside.channels()).toMatchObject([{ channel: "same", messages: 1 }]);
  });
}
