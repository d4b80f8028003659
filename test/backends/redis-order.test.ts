/** Operations whose answers nobody waits for between: once a board keeps order, a server that forgets its scripts changes none of it. */
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { openBackend } from "../../src/backends/open.ts";
import { DirectConnection } from "../../src/backends/redis/direct-connection.ts";
import { createRedis } from "../../src/backends/redis/index.ts";
import type { Backend } from "../../src/core/backend.ts";
import { bytes, openBoard, plainly, redisOptions } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { tempDir } from "../helpers/temp.ts";

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

/** A set whose script the server has just forgotten, and what is asked for behind it: the sum, and what is read. */
async function behindForgotten(board: Backend): Promise<unknown[]> {
  await board.set("timmy:n", bytes("1"), plainly);
  await server.cli("script", "flush");
  const asked = [
    board.set("timmy:n", bytes("100"), plainly),
    board.incr("timmy:n", 1n, "me"),
    board.get("timmy:n"),
  ] as const;
  const [, sum, read] = await Promise.all(asked);
  return [String(sum), String(read)];
}

test("a set that was forgotten comes before the incr behind it", async () => {
  const board = await openBoard(server.url);
  board.keepOrder();
  expect(await behindForgotten(board)).toEqual(["101", "101"]);
});

test("with auto, too", async () => {
  const board = await openBackend({
    ...redisOptions(server.url),
    backend: "auto",
    fallback: false,
    memoryPath: `${tempDir("order")}/board.db`,
    durability: "normal",
    onNotice: () => {},
  });
  onTestFinished(() => board.close());
  board.keepOrder();
  expect(await behindForgotten(board)).toEqual(["101", "101"]);
});

test("who asks in the very moment in which a connection is there goes behind those who waited for it", async () => {
  const board = createRedis(redisOptions(server.url));
  onTestFinished(() => board.close());
  const asked: Promise<bigint>[] = [];
  const ask = (): void => void asked.push(board.incr("timmy:moments", 1n, "me"));
  const { call } = DirectConnection.prototype;
  const spy = vi.spyOn(DirectConnection.prototype, "call").mockImplementation(function (
    this: DirectConnection,
    ...command
  ) {
    const reply = call.apply(this, command);
    if (command[0] === "exists") reply.then(askInEachMoment);
    return reply;
  });
  onTestFinished(() => spy.mockRestore());
  const askInEachMoment = async (): Promise<void> => {
    for (let moment = 0; moment < 60; moment++) {
      ask();
      await null;
    }
  };
  for (let at = 0; at < 20; at++) ask();
  await Promise.all(asked); // those of the moments come while these are waited for
  const sums = await Promise.all(asked);
  expect(sums.length).toBe(80);
  expect(sums.map(Number)).toEqual(sums.map((_, at) => at + 1));
});
