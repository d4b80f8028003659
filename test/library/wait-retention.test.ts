/** Waiting for a change since some moment, where retention has dropped what came since: what can be known counts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { library } from "../helpers/library.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { tempDir } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";

let server: RedisServer;
withServer((started) => {
  server = started;
});

describe.each(["memory", "redis"] as const)("on %s", (backend) => {
  test("a key that was surely not written since is waited for, any other is not", async () => {
    const dataDir = tempDir("board");
    const config = join(dataDir, "config.yaml");
    writeFileSync(config, "blackboard: { history: { changes: 5 } }\n");
    const url = backend === "redis" ? { url: server.url } : {};
    await using board = await library.openBlackboard({ backend, dataDir, config, ...url });
    await board.set("gone", "x");
    const quiet = await board.set("quiet", "x");
    const since = quiet.written ? quiet.id : "";
    await board.del("gone");
    await board.set("busy", "x");
    for (let at = 0; at < 1000; at++) await board.set("other", `${at}`); // far more than is kept
    const changed = (key: string, timeoutMs: number) =>
      board.wait(key, { until: "changed", since, timeoutMs }).then(
        (found) => found.map((one) => one.key),
        (error: { kind: string }) => error.kind,
      );
    expect(await changed("quiet", 0)).toBe("timeout");
    expect(await changed("busy", 0)).toEqual(["busy"]);
    expect(await changed("gone", 0)).toEqual(["gone"]);
    const waiting = changed("quiet", 20_000);
    await until("somebody to follow", async () => (await board.status()).stores[0]?.followers === 1);
    await board.set("quiet", "y");
    expect(await waiting).toEqual(["quiet"]);
  });
});
