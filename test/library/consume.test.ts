/** Consumers as programs use them, from dist, on both stores. */
import { describe, expect, test } from "vitest";
import type { Consumer, Delivery } from "../../src/index.ts";
import { withServer } from "../helpers/file-server.ts";
import { library } from "../helpers/library.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { within } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

let server: RedisServer;
withServer((started) => {
  server = started;
});

const STORES: ReadonlyArray<readonly ["memory" | "redis", () => Workplace]> = [
  ["memory", () => Workplace.memory()],
  ["redis", () => Workplace.redis(server)],
];

async function next(consumer: Consumer): Promise<Delivery> {
  const delivery = await within("a message", consumer.next());
  return delivery ?? expect.unreachable("it was closed");
}

const textOf = ({ entry }: Delivery) => entry.payload.toString();

describe.each(STORES)("on %s", (_store, makePlace) => {
  test("a loop takes one after the other, and leaving it gives back what is not done", async () => {
    await using board = await makePlace().openBoard();
    for (const payload of ["1", "2", "3"]) await board.publish("jobs", payload);
    const seen: string[] = [];
    const consumer = await board.consume("jobs", { consumer: "team", prefetch: 2 });
    for await (const delivery of consumer) {
      seen.push(textOf(delivery));
      if (seen.length === 2) break;
      await consumer.ack(delivery);
    }
    const other = await board.consume("jobs", { consumer: "team" });
    const again = await next(other);
    expect([seen, textOf(again), again.attempt]).toEqual([["1", "2"], "2", 1]);
  });

  test("a failure is tried again, then passed on; one that another worker took over is lost", async () => {
    const place = makePlace();
    await using board = await place.openBoard();
    await using others = await place.openBoard();
    await board.publish("jobs", "1");
    const consumer = await board.consume("jobs", { consumer: "team", retries: 1 });
    const again = await consumer.fail(await next(consumer), "no luck");
    if (typeof again === "string") expect.unreachable(again);
    expect(again.attempt).toBe(2);
    expect(await consumer.fail(again, "no luck again")).toBe("failed");
    const failed = board.subscribe("jobs:failed", { last: 1, live: false });
    for await (const { failure } of failed) {
      expect(failure).toMatchObject({ channel: "jobs", attempts: 2, reason: "no luck again" });
    }
    await board.publish("jobs", "2");
    const held = await next(consumer);
    await consumer.release(held);
    const other = await others.consume("jobs", { consumer: "team" });
    expect(textOf(await next(other))).toBe("2");
    expect(await consumer.fail(held, "too late")).toBe("lost");
  });

  test("closing the board gives back what its consumers hold", async () => {
    const place = makePlace();
    const board = await place.openBoard();
    await board.publish("jobs", "1");
    expect(textOf(await next(await board.consume("jobs", { consumer: "team" })))).toBe("1");
    await board.close();
    await using others = await place.openBoard();
    const again = await next(await others.consume("jobs", { consumer: "team" }));
    expect([textOf(again), again.attempt]).toEqual(["1", 1]);
  });

  test("a signal ends it, and what is of another consumer is refused", async () => {
    await using board = await makePlace().openBoard();
    await board.publish("jobs", "1");
    const stop = new AbortController();
    const one = await board.consume("jobs", { consumer: "one", signal: stop.signal });
    const two = await board.consume("jobs", { consumer: "two" });
    const delivery = await next(one);
    await expect(two.ack(delivery)).rejects.toMatchObject({ kind: "usage" });
    await expect(two.ack(delivery)).rejects.toBeInstanceOf(library.BlackboardError);
    await one.ack(delivery);
    const waiting = one.next();
    stop.abort();
    expect(await within("the end", waiting)).toBeNull();
    expect(await board.deleteConsumer("one")).toBe(true);
    expect((await board.consumers()).map(({ consumer }) => consumer)).toEqual(["two"]);
  });
});
