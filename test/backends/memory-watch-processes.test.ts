/** Watching keys across processes: each change once and in order for every watcher, whoever dies; one expiry, however many watch. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Started } from "../helpers/processes.ts";
import { until } from "../helpers/until.ts";
import {
  bundleStore,
  bytes,
  cleanUp,
  inProcess,
  kindsOf,
  linesOf,
  newPath,
  open,
  plain,
  query,
  removeBundle,
  succeed,
  together,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

/** Says each change, `<id> <event> <key> <value>`, until it is told to stop. */
const WATCH = `
  const follower = backend.follow({ keys: [], patterns: ["t:*"] }, LIVE);
  await follower.ready;
  say("ready");
  told.then(() => follower.close());
  for await (const change of follower) {
    if (change.gap) say("gap");
    else say([change.id, change.event, change.key, change.value ?? ""].join(" "));
  }`;
const watchers = async (count: number, path: string): Promise<Started[]> => {
  const children = Array.from({ length: count }, () => inProcess(path, WATCH));
  await until("they watch", () => children.every((child) => linesOf(child).includes("ready")));
  return children;
};
const end = async (children: readonly Started[]): Promise<void> => {
  for (const child of children) child.process.stdin?.write("stop\n");
  await succeed(children);
};
const toldBy = (child: Started) => linesOf(child).slice(1);
/** What every watcher is to be told, by the log itself. */
const logged = (path: string) =>
  query(
    path,
    "SELECT n, kind, CAST(name AS TEXT) AS name, CAST(data AS TEXT) AS data FROM log ORDER BY n",
  ).map(
    ({ n, kind, name, data }) =>
      `${Math.floor(Number(n) / 1024)}-${Number(n) % 1024} ${kind} ${name} ${data ?? ""}`,
  );

describe("watchers in other processes", () => {
  test("get every change of five writers once, in order, and last of each key what is stored", async () => {
    const path = newPath();
    const backend = await open(path);
    const watching = await watchers(3, path);
    const code = `for (let i = 0; i < 200; i++) {
      const key = "t:" + (i * 7 + process.pid) % 10;
      if (i % 20 === 19) await backend.del([key], PLAIN);
      else await backend.set(key, bytes(process.pid + "." + i), PLAIN);
    }`;
    await succeed(await together(5, path, code));
    await end(watching);
    const log = logged(path);
    expect(log.length).toBeGreaterThan(900);
    for (const child of watching) expect(toldBy(child)).toEqual(log);
    for (let i = 0; i < 10; i++) {
      const last = log.filter((line) => line.split(" ")[2] === `t:${i}`).at(-1);
      const [, event, , value] = last?.split(" ") ?? [];
      expect((await backend.get(`t:${i}`))?.toString() ?? null).toBe(event === "set" ? value : null);
    }
  });

  test("see what a writer did before it was killed, and nothing else", async () => {
    const path = newPath();
    const watching = await watchers(2, path);
    const code = `say("writes"); for (let i = 0; ; i++) await backend.set("t:" + i % 10, bytes(String(i)), PLAIN);`;
    const writer = inProcess(path, code);
    await until("much is written", () => watching.every((child) => toldBy(child).length > 300));
    writer.process.kill("SIGKILL");
    await writer.ended;
    const backend = await open(path);
    await backend.set("t:end", bytes("x"), plain());
    await end(watching);
    for (const child of watching) expect(toldBy(child)).toEqual(logged(path));
  });

  test("five of them, log an expiry once and are each told once, within a second, and end at once", async () => {
    const path = newPath();
    const backend = await open(path);
    const watching = await watchers(5, path);
    const before = Date.now();
    await backend.set("t:k", bytes("v"), plain({ ttlMs: 400 }));
    await backend.set("t:never", bytes("v"), plain({ ttlMs: 3_600_000 }));
    const isTold = (child: Started) => toldBy(child).some((line) => line.includes("expired"));
    await until("they are told", () => watching.every(isTold));
    expect(Date.now() - before).toBeLessThan(1400);
    await end(watching);
    expect(kindsOf(path, "t:k")).toEqual(["set", "expired"]);
    for (const child of watching) expect(toldBy(child)).toEqual(logged(path));
  });
});
