/**
 * Clients that know nothing of timmy-bb share the board on redis; on the file there are none, and the store says so.
 * On redis each test is what such a client sees; on the file it is that declaration.
 */
import { expect, test } from "vitest";
import type { RawRedis } from "../../helpers/raw-redis.ts";
import { type Board, failureOf } from "../driver.ts";
import { blackboardOf } from "../library-driver.ts";
import type { Target } from "../target.ts";

export function foreign(target: Target): void {
  shared(target, "reads what we write, and we what it writes", async (board, client, whole) => {
    await board.set("ours", Buffer.from([0, 255]), { ttlMs: 60_000 });
    expect(await client.call("get", whole("ours"))).toEqual(Buffer.from([0, 255]));
    expect(await client.call("pttl", whole("ours"))).toBeGreaterThan(50_000);
    await client.call("set", whole("theirs"), "value", "px", 60_000);
    expect(String(await board.get("theirs"))).toBe("value");
    expect(await board.ttl("theirs")).toBeGreaterThan(50_000);
    expect(await board.keys()).toEqual(["ours", "theirs"]);
    expect(await board.del("theirs")).toBe(1);
    expect(await client.call("exists", whole("theirs"))).toBe(0);
  });

  shared(target, "has no author and is never old", async (board, client, whole) => {
    await client.call("set", whole("theirs"), "value");
    await board.set("overwritten", "ours");
    await client.call("set", whole("overwritten"), "theirs");
    const facts = await board.list();
    expect(facts).toMatchObject([
      { key: "overwritten", by: null, at: null, ageMs: null, size: 6 },
      { key: "theirs", by: null, at: null, ageMs: null, size: 5 },
    ]);
    expect(await board.list("*", { staleMs: 1 })).toEqual([]);
    expect(await board.clear("*", { olderThanMs: 1 })).toBe(0);
    expect(await board.set("theirs", "ours", { if: "absent" })).toMatchObject({ written: false, by: null });
    expect(await board.clear()).toBe(2);
  });

  shared(
    target,
    "may have written another type, which is a conflict to read and can be replaced",
    async (board, client, whole) => {
      await client.call("rpush", whole("list"), "a", "b");
      const calls = [board.get("list"), board.incr("list")];
      for (const failure of await Promise.all(calls.map(failureOf))) expect(failure.kind).toBe("conflict");
      expect(await board.list()).toMatchObject([{ key: "list", size: null }]);
      expect(await board.exists("list")).toBe(1);
      expect(await board.set("list", "text")).toMatchObject({ written: true });
      expect(String(await board.get("list"))).toBe("text");
    },
  );

  shared(
    target,
    "may have used names that we refuse to write, which can be listed, read and deleted",
    async (board, client, whole) => {
      const names = ["a\nb", "tab\there", "not\udcffutf8", "\u001b[31m"];
      for (const name of names)
        await client.call("set", nameBytes(whole(""), name), `value of ${name.length}`);
      expect((await board.keys()).sort()).toEqual([...names].sort());
      for (const name of names) expect(String(await board.get(name))).toBe(`value of ${name.length}`);
      expect(await board.exists(...names)).toBe(names.length);
      expect(await board.del(...names)).toBe(names.length);
      expect(await board.keys()).toEqual([]);
    },
  );

  shared(
    target,
    "hears what we publish, and is heard without an id or author",
    async (board, client, whole) => {
      const { message } = await client.nextMessage(whole("channel"));
      expect((await board.publish("channel", Buffer.from("a\0\xff", "latin1"))).receivers).toBe(1);
      expect(await message).toEqual(Buffer.from("a\0\xff", "latin1"));
      const subscription = await board.subscribe(["channel", "chan*"]);
      await client.call("publish", whole("channel"), "from outside");
      await board.publish("channel", "from inside");
      const messages = await subscription.take(2);
      expect(messages).toMatchObject([
        { channel: "channel", id: null, by: null },
        { channel: "channel", by: "tester" },
      ]);
      expect(messages.map(({ payload }) => String(payload))).toEqual(["from outside", "from inside"]);
    },
  );
}

type Look = (board: Board, client: RawRedis, whole: (name: string) => string) => Promise<void>;

function shared(target: Target, sentence: string, look: Look): void {
  test(sentence, async () => {
    const board = await target.open();
    const client = target.foreign;
    const { capabilities } = blackboardOf(await target.aside(board));
    expect(capabilities.foreignClients).toBe(client !== null);
    if (client !== null) await look(board, client, (name) => `${board.settings.prefix}:${name}`);
  });
}

/** A name's bytes, of which Node's strings can hold only the UTF-8. */
function nameBytes(start: string, name: string): Buffer {
  const [before = "", after] = name.split("\udcff");
  if (after === undefined) return Buffer.from(start + name);
  return Buffer.concat([Buffer.from(start + before), Buffer.of(0xff), Buffer.from(after)]);
}
