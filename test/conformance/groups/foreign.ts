/**
 * Clients that know nothing of timmy-bb share the board on redis; on the file there are none, and the store says so.
 * On redis each test is what such a client sees; on the file it is that declaration.
 */
import { expect, test } from "vitest";
import type { RawRedis } from "../../helpers/raw-redis.ts";
import { until } from "../../helpers/until.ts";
import { type Board, failureOf } from "../driver.ts";
import { blackboardOf } from "../library-driver.ts";
import type { Target } from "../target.ts";
import { inWords } from "../wording.ts";

export function foreign(target: Target): void {
  shared(target, "reads what we write, and we what it writes", async (board, client, whole, aside) => {
    await aside.set("ours", Buffer.from([0, 255]), { ttlMs: 60_000 });
    expect(await client.call("get", whole("ours"))).toEqual(Buffer.from([0, 255]));
    expect(await client.call("pttl", whole("ours"))).toBeGreaterThan(50_000);
    await client.call("set", whole("theirs"), "value", "px", 60_000);
    expect(String(await board.get("theirs"))).toBe("value");
    expect(await aside.ttl("theirs")).toBeGreaterThan(50_000);
    expect(await board.keys()).toEqual(["ours", "theirs"]);
    expect(await aside.del("theirs")).toBe(1);
    expect(await client.call("exists", whole("theirs"))).toBe(0);
  });

  shared(target, "has no author and is never old", async (board, client, whole, aside) => {
    await client.call("set", whole("theirs"), "value");
    await aside.set("overwritten", "ours");
    await client.call("set", whole("overwritten"), "theirs");
    const facts = await board.list();
    expect(facts).toMatchObject([
      { key: "overwritten", by: null, at: null, ageMs: null, size: 6 },
      { key: "theirs", by: null, at: null, ageMs: null, size: 5 },
    ]);
    expect(await aside.list("*", { staleMs: 1 })).toEqual([]);
    expect(await aside.clear("*", { olderThanMs: 1 })).toBe(0);
    expect(await board.set("theirs", "ours", { if: "absent" })).toMatchObject({ written: false, by: null });
    expect(await aside.clear()).toBe(2);
  });

  shared(
    target,
    "may have written another type, which is a conflict to read and can be replaced",
    async (board, client, whole, aside) => {
      await client.call("rpush", whole("list"), "a", "b");
      const calls = [
        board.get("list"),
        board.incr("list"),
        aside.set("list", "text", { ifValue: "a" }),
        aside.delIf("list", "a"),
        aside.expireIf("list", "a", 1000),
      ];
      for (const failure of await Promise.all(calls.map(failureOf))) expect(failure.kind).toBe("conflict");
      expect(await board.list()).toMatchObject([{ key: "list", size: null }]);
      expect(await aside.exists("list")).toBe(1);
      expect(await aside.set("list", "text")).toMatchObject({ written: true });
      expect(String(await aside.get("list"))).toBe("text");
    },
  );

  shared(
    target,
    "may have used names that we refuse to write, which can be listed, read and deleted",
    async (board, client, whole, aside) => {
      const names = ["not\udcffutf8", "tab\there", "\u001b[31m", "a\nb"];
      for (const name of names)
        await client.call("set", nameBytes(whole(""), name), `value of ${name.length}`);
      expect((await board.keys()).sort()).toEqual([...names].sort());
      for (const name of target.some(names)) {
        expect(String(await board.get(name))).toBe(`value of ${name.length}`);
      }
      expect(await aside.exists(...names)).toBe(names.length);
      expect(await board.del(...names)).toBe(names.length);
      expect(await aside.keys()).toEqual([]);
    },
  );

  shared(
    target,
    "hears what we publish, and is heard without an id or author",
    async (board, client, whole, aside) => {
      const { message } = await client.nextMessage(whole("channel"));
      expect((await aside.publish("channel", Buffer.from("a\0\xff", "latin1"))).receivers).toBe(1);
      expect(await message).toEqual(Buffer.from("a\0\xff", "latin1"));
      const subscription = await board.subscribe(["channel", "chan*"]);
      await client.call("publish", whole("channel"), "from outside");
      await aside.publish("channel", "from inside");
      const messages = await subscription.take(2);
      expect(messages).toMatchObject([
        { channel: "channel", id: null, by: null },
        { channel: "channel", by: "tester" },
      ]);
      expect(messages.map(({ payload }) => String(payload))).toEqual(["from outside", "from inside"]);
    },
  );

  shared(
    target,
    "changes keys, which watchers see once, without an author",
    async (board, client, whole, aside) => {
      const watcher = await board.watch(["*", "key", "k*"]);
      await client.call("set", whole("key"), "a");
      await until("its value to be read", () => watcher.seen().length === 1);
      await client.call("append", whole("key"), "b");
      await until("its value to be read", () => watcher.seen().length === 2);
      await client.call("set", whole("n"), "41", "px", 60_000);
      await client.call("incr", whole("n"));
      await until("its value to be read", () => watcher.seen().length === 4);
      await client.call("pexpire", whole("n"), 50_000); // no change of the value
      await client.call("rename", whole("key"), whole("new"));
      await client.call("del", whole("n"));
      await client.call("set", whole("short"), "v", "px", 100);
      await until("it to expire", () => watcher.seen().at(-1)?.event === "expired");
      await aside.set("end", "");
      await until("the end", () => watcher.seen().at(-1)?.key === "end");
      const seen = watcher.seen().slice(0, -1);
      expect(seen.map(inWords).filter((text) => !/ n (41|42)| short v/.test(text))).toEqual([
        "set key a",
        "set key ab",
        "del key",
        "set new ab",
        "del n",
        "expired short",
      ]);
      expect(seen.filter(({ key, event }) => key === "n" && event === "set")).toHaveLength(2);
      for (const change of seen) expect(change, inWords(change)).toMatchObject({ id: null, by: null });
    },
  );

  shared(target, "changes keys in many ways, each of them one event", async (board, client, whole) => {
    const watcher = await board.watch(["*", "[klm]", "k"]);
    const key = whole("k");
    const ways: ReadonlyArray<readonly [words: readonly (string | number)[], events: string]> = [
      [["mset", key, "1", whole("l"), "2"], "set k, set l"],
      [["setex", key, 100, "v"], "set k"],
      [["setrange", key, 0, "w"], "set k"],
      [["getset", key, "1"], "set k"],
      [["incrbyfloat", key, "0.5"], "set k"],
      [["set", key, "2", "keepttl"], "set k"],
      [["set", key, "3", "nx"], ""],
      [["get", key], ""],
      [["persist", key], ""],
      [["copy", key, whole("m")], "set m"],
      [["getdel", key], "del k"],
      [["getex", whole("l"), "ex", 100], ""],
      [["expire", whole("l"), -1], "del l"],
      [["unlink", whole("m"), whole("none")], "del m"],
      [["eval", "redis.call('set', KEYS[1], 'x'); redis.call('del', KEYS[1])", 1, key], "set k, del k"],
      [["set", whole("end"), ""], "set end"],
    ];
    for (const [[command = "", ...words]] of ways) await client.call(String(command), ...words);
    await until("the end", () => watcher.seen().at(-1)?.key === "end");
    const heard = watcher.seen().map((change) => `${change.event} ${change.key}`);
    const wanted = ways.map(([, events]) => events).filter((events) => events !== "");
    expect(heard.join(", ")).toBe(wanted.join(", "));
  });

  shared(
    target,
    "changes nothing twice: what is ours is seen once, between theirs too",
    async (board, client, whole, aside) => {
      const watcher = await board.watch(["key:*", "*", "key:?"]);
      const writer = blackboardOf(aside);
      const rounds = 60;
      await Promise.all([
        (async () => {
          for (let n = 0; n < rounds; n++) await writer.set(`key:${n % 3}`, `ours ${n}`);
          await writer.del(["key:0", "key:1", "key:2"]);
        })(),
        (async () => {
          for (let n = 0; n < rounds; n++) await client.call("set", whole(`key:${n % 3}`), `theirs ${n}`);
        })(),
      ]);
      await writer.set("key:end", "");
      await until("the end", () => watcher.seen().at(-1)?.key === "key:end");
      const [ours, theirs] = [
        watcher.seen().filter(({ id }) => id !== null),
        watcher.seen().filter(({ id }) => id === null),
      ];
      const sets = Array.from({ length: rounds }, (_, n) => `set key:${n % 3} ours ${n}`);
      expect(ours.filter(({ event }) => event === "set").map(inWords)).toEqual([...sets, "set key:end "]);
      expect(theirs.filter(({ event }) => event === "set")).toHaveLength(rounds);
      expect(theirs).toHaveLength(rounds);
    },
  );

  shared(
    target,
    "is in no history, and what it wrote has no provenance",
    async (board, client, whole, aside) => {
      await aside.set("key", "ours");
      await client.call("set", whole("key"), "theirs");
      expect((await board.history("key")).map(inWords)).toEqual(["set key ours"]);
      expect(await board.read("key")).toMatchObject({ id: null, by: null, at: null, ttlMs: null });
      expect(await aside.list("*", { by: "tester" })).toEqual([]);
      const initial = await board.watch(["*"], { initial: true, live: false });
      await initial.ended;
      expect(initial.seen()).toMatchObject([{ key: "key", id: null, by: null, isInitial: true }]);
    },
  );

  shared(target, "wakes who waits", async (board, client, whole, aside) => {
    const waiting = board.wait(["key"], { value: "theirs" });
    await until("somebody to wait", async () => (await aside.status()).stores[0]?.followers === 1);
    await client.call("set", whole("key"), "not yet");
    await client.call("set", whole("key"), "theirs");
    expect(String((await waiting)[0]?.known?.value)).toBe("theirs");
    await client.call("rpush", whole("list"), "a");
    // It is there, and only the command has to print it.
    if (target.form === "cli") expect((await failureOf(board.wait(["list"]))).kind).toBe("conflict");
    else expect(await board.wait(["list"])).toMatchObject([{ known: { key: "list", value: null } }]);
  });
}

/** `aside` is the same board through the library: for what is not about how the target says it. */
type Look = (board: Board, client: RawRedis, whole: (name: string) => string, aside: Board) => Promise<void>;

function shared(target: Target, sentence: string, look: Look): void {
  test(sentence, async () => {
    const board = await target.open();
    const client = target.foreign;
    const aside = await target.aside(board);
    expect(blackboardOf(aside).capabilities.foreignClients).toBe(client !== null);
    if (client !== null) await look(board, client, (name) => `${board.settings.prefix}:${name}`, aside);
  });
}

/** A name's bytes, of which Node's strings can hold only the UTF-8. */
function nameBytes(start: string, name: string): Buffer {
  const [before = "", after] = name.split("\udcff");
  if (after === undefined) return Buffer.from(start + name);
  return Buffer.concat([Buffer.from(start + before), Buffer.of(0xff), Buffer.from(after)]);
}
