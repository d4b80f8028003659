/** The end: nothing is lost that was under way, followers end, and no handle keeps a process alive. */
import { expect, test } from "vitest";
import { until } from "../../helpers/until.ts";
import type { Target } from "../target.ts";

export function close(target: Target): void {
  test("leaves nothing behind that keeps a process alive", async () => {
    await target.endsByItself(await target.open());
  });

  test("ends followers, of names and of patterns, after what has come", async () => {
    const board = await target.open();
    const watcher = await target.aside(board);
    const subscriptions = [
      await board.subscribe(["a"]),
      await board.subscribe(["*"]),
      await board.subscribe(["a", "b*"]),
    ];
    await watcher.publish("a", "last words");
    for (const subscription of subscriptions) {
      expect(String((await subscription.take(1))[0]?.payload)).toBe("last words");
    }
    await board.close();
    for (const subscription of subscriptions) expect(await subscription.ended).toBe("closed");
    await until("no follower left", async () => (await watcher.publish("a", "to nobody")).receivers === 0);
  });

  test("may be done twice, and by one board without a word to another", async () => {
    const prefix = target.freshPrefix();
    const [one, two] = [await target.open({ prefix }), await target.open({ prefix })];
    await one.set("key", "value");
    await one.close();
    await one.close();
    expect(String(await two.get("key"))).toBe("value");
  });

  test("keeps what was written: who opens next reads it", async () => {
    const prefix = target.freshPrefix();
    const first = await target.open({ prefix });
    await first.set("key", "value");
    const { id } = await first.publish("channel", "message");
    await first.close();
    const second = await target.open({ prefix });
    expect(String(await second.get("key"))).toBe("value");
    expect(await second.channels()).toMatchObject([{ channel: "channel", messages: 1, lastId: id }]);
  });
}
