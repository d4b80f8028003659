/** A program may use its buffer again as soon as it has called: what is asked for without waiting leaves a little later. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { library } from "../helpers/library.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { tempDir } from "../helpers/temp.ts";

let server: RedisServer;
withServer((started) => {
  server = started;
});

describe.each(["memory", "redis", "auto"] as const)("on %s", (backend) => {
  test.each([3, 5000, 65_536])(
    "a buffer of %i bytes, used again for each value and message",
    async (size) => {
      const dataDir = tempDir("board");
      const config = join(dataDir, "config.yaml");
      writeFileSync(config, "blackboard: {}\n");
      await using board = await library.openBlackboard({ backend, dataDir, config, url: server.url });
      const buffer = Buffer.alloc(size);
      const asked: Promise<unknown>[] = [];
      for (let at = 1; at <= 5; at++) {
        buffer.fill(at);
        asked.push(board.set(`k${at}`, buffer), board.publish(`buffers${size}`, buffer));
      }
      buffer.fill(0);
      await Promise.all(asked);
      const payloads: Buffer[] = [];
      for await (const item of board.subscribe(`buffers${size}`, { last: 5, live: false }))
        if (!("gap" in item)) payloads.push(item.payload);
      for (let at = 1; at <= 5; at++) {
        const meant = Buffer.alloc(size, at);
        expect((await board.get(`k${at}`))?.equals(meant)).toBe(true);
        expect(payloads[at - 1]?.equals(meant)).toBe(true);
      }
    },
  );
});
