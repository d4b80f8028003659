/** `auto`, reading what is retained in both stores, and what must be decided by redis alone. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Message } from "../../src/index.ts";
import { killProcesses } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

const NOBODY = "redis://127.0.0.1:1";

afterAll(() => {
  killProcesses();
  removeTempDirs();
});

function auto(url: string): Workplace {
  return Workplace.bare({ TIMMY_BB_BACKEND: "auto", TIMMY_BB_URL: url });
}

describe("a past in both stores", () => {
  let server: RedisServer;
  let place: Workplace;
  beforeEach(async () => {
    server = await RedisServer.start();
    place = auto(server.url);
    await place.run(["publish", "c", "1"]);
    server.pause();
    expect((await place.run(["publish", "c", "2"])).err).toContain("instead");
    expect((await place.run(["publish", "d", "3"])).err).toContain("instead");
    server.resume();
    expect((await place.run(["publish", "c", "4"])).err).toContain("holds writes made while redis was away");
  });
  afterEach(async () => {
    killProcesses();
    await server.stop();
  });

  test("a replay alone gives it by id, and the newest of all together", async () => {
    expect((await place.run(["subscribe", "*", "--since", "1h"])).out).toBe("c\t1\nc\t2\nd\t3\nc\t4\n");
    expect((await place.run(["subscribe", "c", "--last", "2"])).out).toBe("2\n4\n");
    expect((await place.run(["subscribe", "c", "--last", "2", "--backend", "redis"])).out).toBe("1\n4\n");
  });

  test("while redis is away, what the file has", async () => {
    server.pause();
    const { exit, out, err } = await place.run(["subscribe", "*", "--last", "5"]);
    expect({ exit, out }).toEqual({ exit: 0, out: "c\t2\nd\t3\n" });
    expect(err).toMatch(/^timmy-bb: cannot reach .* instead\n$/);
    server.resume();
  });

  test("one that goes on has each store's, once, and what comes", async () => {
    const follower = place.start(["subscribe", "*", "--last", "10", "--follow"]);
    const lines = () => follower.stdout().toString().split("\n").filter(Boolean);
    await until("what was", () => lines().length === 4);
    await place.run(["publish", "c", "5"]);
    await until("what comes", () => lines().length === 5);
    expect(lines().slice(0, 4).sort()).toEqual(["c\t1", "c\t2", "c\t4", "d\t3"]);
    expect(lines()[4]).toBe("c\t5");
  });

  test("a file that never stood in for redis has no part in it", async () => {
    const other = auto(server.url);
    await other.run(["publish", "c", "of another board", "--backend", "memory"]);
    // On a busy machine redis may once be taken for away.
    await until("what redis has", async () => {
      const { out, err } = await other.run(["subscribe", "c", "--last", "9"]);
      return err === "" && out === "1\n4\n";
    });
    const follower = other.start(["subscribe", "c", "--last", "9", "--follow"]);
    await until("what was", () => follower.stdout().toString() === "1\n4\n");
    await other.run(["publish", "c", "live", "--backend", "memory"]);
    await until("what comes", () => follower.stdout().toString() === "1\n4\nlive\n");
  });

  test("a loop that is slow gets all of it, in order", async () => {
    await using board = await place.openBoard({ backend: "auto", onNotice: () => {} });
    const follower = board.subscribe("many");
    await follower.ready;
    const sent = Array.from({ length: 3000 }, (_, index) => String(index));
    await Promise.all(sent.map((payload) => board.publish("many", payload)));
    const seen: string[] = [];
    for await (const { payload } of follower as AsyncIterable<Message>) {
      seen.push(payload.toString());
      if (seen.length === sent.length) break;
    }
    expect(seen).toEqual(sent);
  });
});

test("a consumer, which decides who handles what, fails closed", async () => {
  const place = auto(NOBODY);
  for (const args of [
    ["subscribe", "c", "--consumer", "team"],
    ["subscribe", "c", "--consumer", "team", "--", "cat"],
    ["consumers", "delete", "team"],
  ]) {
    const { exit, out, err } = await place.run(args);
    expect({ exit, out }).toEqual({ exit: 4, out: "" });
    expect(err).toContain("is not decided on the file");
    expect(err).toContain("hint: --backend memory");
  }
});
