/** Following the memory store through what is done to it: many followers, stopped and slow ones, killed publishers. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Started } from "../helpers/processes.ts";
import { scaled } from "../helpers/scale.ts";
import { until } from "../helpers/until.ts";
import {
  all,
  bundleStore,
  bytes,
  channels,
  cleanUp,
  DEADLINE_MS,
  inProcess,
  LIVE,
  linesOf,
  newPath,
  open,
  removeBundle,
  succeed,
  texts,
} from "./memory-world.ts";

beforeAll(bundleStore);
afterEach(cleanUp);
afterAll(removeBundle);

const keeping = (messagesPerChannel: number) => ({
  history: { messagesPerChannel, changes: 100, maxAgeMs: 604_800_000 },
});
const MEGABYTE = 1024 * 1024;
const range = (to: number) => Array.from({ length: to }, (_, i) => String(i));

/** Statements of a process that follows `t:c`: it says "ready", and at the end what is wrong with the order and how much came. */
const COUNT = (messages: number) => `
  const follower = backend.follow({ channels: ["t:c"], patterns: [] }, LIVE);
  await follower.ready;
  say("ready");
  let next = 0, odd = 0;
  const rss = [];
  for await (const item of follower) {
    if (item.gap || Number(item.payload.toString().trim()) !== next) odd++;
    if (++next % 1000 === 0) rss.push(process.memoryUsage.rss());
    if (next === ${messages}) break;
  }
  const mostIn = (from, to) => Math.max(...rss.slice(rss.length * from, rss.length * to));
  // the first quarter is left out: the runtime makes its young generation larger once, by some 12 MB
  say(JSON.stringify({ next, odd, early: mostIn(0.25, 0.5), late: mostIn(0.75, 1) }));`;

/** Statements of a process that publishes numbers to `t:c`, so many at once. */
const PUBLISH = (messages: number, payload = "String(n)") => `
  for (let n = 0; n < ${messages}; ) {
    const sent = [];
    for (const end = Math.min(n + 100, ${messages}); n < end; n++)
      sent.push(backend.publish("t:c", bytes(${payload}), "child"));
    await Promise.all(sent);
    await new Promise(setImmediate);
  }`;

const isReady = (child: Started) => until("it follows", () => linesOf(child).includes("ready"), 20_000);
const saidBy = (child: Started) => JSON.parse(linesOf(child).at(-1) ?? "") as Record<string, number>;

describe("followers", () => {
  test("fifty of them in several processes get a thousand messages each, in order", async () => {
    const path = newPath();
    const backend = await open(path);
    const code = `
      const followers = Array.from({ length: 10 }, () => backend.follow({ channels: ["t:c"], patterns: ["t:*"] }, LIVE));
      await Promise.all(followers.map(({ ready }) => ready));
      say("ready");
      const wrong = await Promise.all(followers.map(async (follower) => {
        let next = 0;
        for await (const item of follower) if (Number(item.payload) !== next++ || next === 1000) break;
        return next === 1000 ? 0 : 1;
      }));
      say(JSON.stringify({ wrong: wrong.reduce((sum, one) => sum + one) }));`;
    const children = Array.from({ length: 5 }, () => inProcess(path, code));
    for (const child of children) await isReady(child);
    const sent = await Promise.all(range(1000).map((n) => backend.publish("t:c", bytes(n), "me")));
    expect(sent.every(({ receivers }) => receivers === 50)).toBe(true);
    await succeed(children);
    expect(children.map(saidBy)).toEqual(children.map(() => ({ wrong: 0 })));
  });

  test("one that is stopped for a while gets all that was sent meanwhile, in order and once", async () => {
    const path = newPath();
    const backend = await open(path, keeping(100));
    const messages = 20_000;
    const child = inProcess(path, COUNT(messages), keeping(100));
    await isReady(child);
    child.process.kill("SIGSTOP");
    const publisher = inProcess(path, PUBLISH(messages), keeping(100));
    await succeed([publisher]);
    expect((await backend.channels("t:c"))[0]).toMatchObject({ messages: 100, followers: 1 });
    child.process.kill("SIGCONT");
    await succeed([child]);
    expect(saidBy(child)).toMatchObject({ next: messages, odd: 0 });
  });

  test(
    "one whose loop is slow holds little of what waits, and gets all of it",
    async () => {
      const path = newPath();
      const messages = scaled(10_000, 100_000); // of 4 kB
      const child = inProcess(
        path,
        `const follower = backend.follow({ channels: ["t:c"], patterns: [] }, LIVE);
      const items = follower[Symbol.asyncIterator]();
      await follower.ready;
      say("ready");
      let next = 0, odd = 0;
      const read = async () => { if (Number((await items.next()).value.payload) !== next++) odd++; };
      await read();
      const before = process.memoryUsage.rss();
      await told;
      for (let i = 0; i < 300; i++) await read();
      const held = process.memoryUsage.rss() - before;
      while (next < ${messages}) await read();
      await items.return();
      say(JSON.stringify({ next, odd, held }));`,
      );
      await isReady(child);
      await succeed([inProcess(path, PUBLISH(messages, "String(n).padEnd(4000)"))]);
      child.process.stdin?.write("go\n");
      await succeed([child]);
      expect(saidBy(child)).toMatchObject({ next: messages, odd: 0 });
      expect(saidBy(child).held).toBeLessThan(32 * MEGABYTE);
    },
    DEADLINE_MS,
  );

  test(
    "one that gets very many messages does not grow",
    async () => {
      const path = newPath();
      const messages = scaled(25_000, 1_000_000);
      const all = keeping(messages); // else a publisher that is 100,000 ahead leaves a gap
      const child = inProcess(path, COUNT(messages), all);
      await isReady(child);
      await succeed([inProcess(path, PUBLISH(messages), all), child]);
      const { next, odd, early = 0, late = 0 } = saidBy(child);
      expect({ next, odd }).toEqual({ next: messages, odd: 0 });
      expect(late - early).toBeLessThan(16 * MEGABYTE);
    },
    DEADLINE_MS,
  );
});

describe("publishers that are killed", () => {
  const WRITERS = 4;
  const EACH = scaled(1500, 25_000);

  /** Publishes from a number on, and is killed after a while; which numbers were acknowledged. */
  async function live(path: string, name: string, from: number): Promise<number[]> {
    const code = `for (let n = ${from}; n < ${EACH}; n++) {
      await backend.publish("t:c", bytes("${name} " + n), "child");
      say(String(n));
    }`;
    const child = inProcess(path, code);
    const end = Math.min(EACH, from + EACH / 4);
    await until("it has published some", () => linesOf(child).length >= end - from, 20_000);
    child.process.kill("SIGKILL");
    await child.ended;
    return linesOf(child).map(Number);
  }

  test(
    "have lost nothing that was acknowledged, nor sent it twice, nor in disorder",
    async () => {
      const path = newPath();
      const follower = (await open(path)).follow(channels("t:c"), LIVE);
      await follower.ready;
      const acknowledged: string[] = [];
      const write = async (writer: number) => {
        for (let next = 0, lives = 0; next < EACH; lives++) {
          const name = `${writer}.${lives}`;
          const numbers = await live(path, name, next);
          acknowledged.push(...numbers.map((n) => `${name} ${n}`));
          next = (numbers.at(-1) ?? next - 1) + 1;
        }
      };
      await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
      expect(acknowledged).toHaveLength(WRITERS * EACH);
      await follower.close();
      const got = texts(await all(follower));
      expect(new Set(got).size).toBe(got.length);
      const missing = new Set(acknowledged);
      const lastOf = new Map<string, number>();
      for (const [name = "", n] of got.map((text) => text.split(" "))) {
        expect(Number(n)).toBe((lastOf.get(name) ?? Number(n) - 1) + 1);
        lastOf.set(name, Number(n));
        missing.delete(`${name} ${n}`);
      }
      expect([...missing]).toEqual([]);
    },
    DEADLINE_MS,
  );
});
