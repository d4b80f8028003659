/** Many keys on a real server: listed and deleted in steps that hold nobody up, each once, each told and logged. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import { clearIn, namesIn } from "../../src/core/select.ts";
import { bytes, openBoard, plainly } from "../helpers/redis-board.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { Workplace } from "../helpers/workplace.ts";
import { watch } from "./redis-watch-world.ts";

const ROOT = "timmy-bb:{timmy}:";
const MANY = 20_000;
let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(async () => {
  await server.cli("flushall");
  await server.cli("config", "resetstat");
});
afterAll(() => server.stop());

/** Keys of a foreign client. */
async function crowd(prefix: string, count: number): Promise<string[]> {
  await server.cli("eval", `for i = 1, ${count} do redis.call('SET', '${prefix}' .. i, i) end`, "0");
  return Array.from({ length: count }, (_, at) => `${prefix}${at + 1}`);
}

async function written(store: RedisStore, count: number, ttlMs: number | null = null): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, at) => `timmy:ours${at + 1}`);
  await Promise.all(keys.map((key) => store.set(key, bytes("v"), { ...plainly, ttlMs })));
  return keys;
}

/** How often the server ran a command. */
async function calls(command: string): Promise<number> {
  const line = (await server.cli("info", "commandstats"))
    .split("\n")
    .find((one) => one.startsWith(`cmdstat_${command}:`));
  return Number(/calls=(\d+)/.exec(line ?? "")?.[1] ?? 0);
}

/** Ids, kinds and keys of the log, and the id that each entry says is before it. */
async function log(): Promise<Array<{ id: string; kind: string; key: string; before: string }>> {
  const text = await server.cli("--json", "xrange", `${ROOT}changes`, "-", "+");
  const entries = JSON.parse(text) as ReadonlyArray<readonly [string, readonly string[]]>;
  return entries.map(([id, fields]) => {
    const of = (name: string) => fields[fields.indexOf(name) + 1] ?? "";
    return { id, kind: of("kind"), key: of("key"), before: of("before") };
  });
}

const toNumber = (id: string) => Number(id.split("-")[0]) * 1024 + Number(id.split("-")[1]);

test("the command lists them sorted, as they come, or only the first ones", async () => {
  const place = Workplace.redis(server);
  await crowd(`${place.prefix}:`, MANY);
  await crowd("other:", MANY / 2);
  const wanted = Array.from({ length: MANY }, (_, at) => String(at + 1)).sort();
  const lines = async (...args: string[]) => (await place.ask("keys", ...args)).trimEnd().split("\n");
  expect(await lines()).toEqual(wanted);
  expect((await lines("--unsorted")).sort()).toEqual(wanted);
  expect(await lines("--limit", "3")).toEqual(wanted.slice(0, 3));
  expect(await lines("9999*", "-u", "--limit", "1", "--json")).toEqual(['{"key":"9999"}']);
  expect((await lines("--long", "--limit", "2")).map((line) => line.split("\t").slice(0, 3))).toEqual([
    ["1", "-", "1"],
    ["10", "-", "2"],
  ]);
  expect(await place.ask("clear", "1*", "--dry-run")).toBe("11111\n");
  expect(await place.ask("clear", "1*")).toBe("11111\n");
  expect(await lines("--limit", "1")).toEqual(["2"]);
});

test("what is there all the time comes once, while others write and the table grows and shrinks", async () => {
  const store = await openBoard(server.url);
  const wanted = await crowd("timmy:", 5000);
  const names: string[] = [];
  let round = 0;
  for await (const batch of store.keys("timmy:*")) {
    names.push(...batch);
    const step = round++ % 2 === 0 ? "'SET', 'new:' .. i, i" : "'DEL', 'new:' .. i";
    await server.cli("eval", `for i = 1, 10000 do redis.call(${step}) end`, "0");
  }
  expect(round).toBeGreaterThan(4);
  expect(names.sort()).toEqual(wanted.sort());
});

test("a limit ends the listing", async () => {
  const store = await openBoard(server.url);
  await crowd("timmy:", MANY);
  const names: string[] = [];
  for await (const batch of namesIn(store, "timmy:*", { limit: 300 })) names.push(...batch);
  expect(names).toHaveLength(300);
  expect(await calls("scan")).toBeLessThan(10);
});

test("steps are short: a script deletes 200 at most", async () => {
  const store = await openBoard(server.url);
  await crowd("timmy:", MANY);
  expect(await clearIn(store, "timmy:*", {}, "me")).toBe(MANY);
  expect(await calls("scan")).toBeGreaterThan(MANY / 2000);
  expect(await calls("evalsha")).toBeGreaterThan(MANY / 200 - 10);
  expect(await calls("publish")).toBeLessThan(MANY / 100); // nobody was there to hear of it
});

test("of what is deleted the newest are in the log, each naming the one before; who asks for more is told of the gap", async () => {
  const history = { messagesPerChannel: 10, changes: 1000, maxAgeMs: 60_000 };
  const store = await openBoard(server.url, { history });
  const ours = await written(store, 3000, 600_000);
  const [first] = await log();
  const foreign = await crowd("timmy:foreign", 500);
  expect(await clearIn(store, "timmy:*", {}, "me")).toBe(3500);
  const entries = await log();
  expect(entries).toHaveLength(1000);
  expect(entries.map((one) => one.kind)).toEqual(entries.map(() => "del"));
  expect(entries.slice(1).map((one) => one.before)).toEqual(
    entries.slice(0, -1).map((one) => String(toNumber(one.id))),
  );
  expect(entries.slice(0, 500).map((one) => one.key)).toEqual(ours.slice(-500)); // ours first, the oldest first
  expect(
    entries
      .slice(500)
      .map((one) => one.key)
      .sort(),
  ).toEqual(foreign.sort());
  const late = await watch(
    store,
    { patterns: ["*"] },
    { from: { after: toNumber(first?.id ?? "") }, live: false },
  );
  expect((await late.take(2000)).map((item) => ("gap" in item ? "gap" : item.event))).toEqual([
    "gap",
    ...entries.map(() => "del"),
  ]);
  for (const books of ["meta", "firsts", "expiries"])
    expect(await server.cli("exists", ROOT + books)).toBe("0");
});

test("who watches is told of each, in the order of the log; of the others nothing is said", async () => {
  const [store, other] = [await openBoard(server.url), await openBoard(server.url)];
  const keys = await written(store, 3000);
  const all = await watch(other, { patterns: ["*"] });
  expect(await clearIn(store, "timmy:*", {}, "me")).toBe(3000);
  expect(await all.words(3000)).toEqual(keys.map((key) => `del ${key.slice(6)} me`));
  await all.close();
  const some = await watch(other, { keys: ["foreign7", "foreign9"] });
  await crowd("timmy:foreign", 1000);
  expect((await some.words(2)).sort()).toEqual(["set foreign7 ?", "set foreign9 ?"]);
  expect(await clearIn(store, "timmy:*", {}, "me")).toBe(1000);
  expect((await some.words(2)).sort()).toEqual(["del foreign7 me", "del foreign9 me"]);
  expect((await log()).slice(-1000).every((one) => one.kind === "del")).toBe(true);
});

test("a clear while others write: what is left was written meanwhile, and each deletion is in the log", async () => {
  const history = { messagesPerChannel: 10, changes: 1_000_000, maxAgeMs: 60_000 };
  const [store, writer] = [
    await openBoard(server.url, { history }),
    await openBoard(server.url, { history }),
  ];
  await written(store, 5000);
  let isOver = false;
  let sets = 0;
  const writing = (async () => {
    for (; !isOver; sets += 20) {
      const some = Array.from({ length: 20 }, (_, at) => `timmy:ours${((sets + at) * 7919) % 5000}`);
      await Promise.all(some.map((key) => writer.set(key, bytes("w"), plainly)));
    }
  })();
  const deleted = await clearIn(store, "timmy:*", {}, "me");
  isOver = true;
  await writing;
  const entries = await log();
  const dels = entries.filter((one) => one.kind === "del");
  expect(dels).toHaveLength(deleted);
  const last = new Map(entries.map((one) => [one.key, one.kind]));
  const left: string[] = [];
  for await (const batch of store.keys("timmy:*")) left.push(...batch);
  expect(left.sort()).toEqual(
    [...last]
      .filter(([, kind]) => kind === "set")
      .map(([key]) => key)
      .sort(),
  );
  expect(entries.map((one) => toNumber(one.id))).toEqual(
    entries.map((one) => toNumber(one.id)).sort((a, b) => a - b),
  );
});

test("many channels are listed in steps, each once, though messages come meanwhile", async () => {
  const store = await openBoard(server.url);
  const channels = Array.from({ length: 5000 }, (_, at) => `timmy:c${at}`);
  const sendAll = (some: readonly string[]) =>
    Promise.all(some.map((channel) => store.publish(channel, bytes("m"), "me")));
  await sendAll(channels);
  await server.cli("config", "resetstat");
  expect(await store.channels("timmy:c*")).toHaveLength(5000);
  expect(await calls("zrangebyscore")).toBe(3);
  const sending = sendAll(channels.slice(0, 500));
  const listed = await store.channels("timmy:c*");
  await sending;
  expect(listed.map(({ channel }) => channel).sort()).toEqual(channels.sort());
  expect((await store.channels("timmy:c42")).map(({ messages }) => messages)).toEqual([2]);
});
