/** Changes whose values no log holds: what is fetched for a handler goes on with the change that it gives up. */
import { describe, expect, test } from "vitest";
import { withServer } from "../helpers/file-server.ts";
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

describe.each(STORES)("on %s", (_store, makePlace) => {
  test("a change that is given up takes its value along", async () => {
    await using board = await makePlace().openBoard();
    const value = Buffer.alloc(100_000, "x");
    await board.set("large", value);
    const consumer = await board.consume({ keys: "large" }, { consumer: "c", retries: 0 });
    const delivery = await within("the change", consumer.next());
    if (delivery === null) return expect.unreachable("it was closed");
    expect(delivery.entry.value?.equals(value)).toBe(true);
    expect(await consumer.fail(delivery, "exit 1")).toBe("failed");
    for await (const { payload, failure } of board.subscribe("large:failed", { last: 1 })) {
      expect(payload.equals(value)).toBe(true);
      expect(failure).toMatchObject({ channel: null, key: "large", event: "set", attempts: 1 });
      break;
    }
    await consumer.close();
  });
});

test("what a foreign client wrote since an id counts as changed", async () => {
  const place = Workplace.redis(server);
  await using board = await place.openBoard();
  const written = await board.set("key", "ours");
  const since = written.written ? written.id : "";
  const changed = () => board.wait("key", { until: "changed", since, timeoutMs: 0 });
  await expect(changed()).rejects.toMatchObject({ kind: "timeout" });
  await server.cli("set", `${place.prefix}:key`, "foreign");
  expect((await changed()).map(({ reading }) => reading?.value?.toString())).toEqual(["foreign"]);
});
