/** The library as programs use it, from dist, on both stores. What the stores promise is the conformance suite's. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { FollowState, Message } from "../../src/index.ts";
import { withServer } from "../helpers/file-server.ts";
import { LIBRARY, library } from "../helpers/library.ts";
import { start } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { until, within } from "../helpers/until.ts";
import { done, said, Workplace } from "../helpers/workplace.ts";

let server: RedisServer;
withServer((started) => {
  server = started;
});

/** A program in its own process, with the library as `library` and what the place says as its environment. */
async function program(place: Workplace, code: string, env: Readonly<Record<string, string>> = {}) {
  const path = join(place.dir, `program-${Math.random().toString(36).slice(2)}.mjs`);
  writeFileSync(path, `import * as library from ${JSON.stringify(LIBRARY)};\n${code}\n`);
  return said(
    await start(process.execPath, [path], { env: { ...place.shellEnv(), ...env }, cwd: place.dir }).ended,
  );
}

const STORES: ReadonlyArray<readonly ["memory" | "redis", () => Workplace]> = [
  ["memory", () => Workplace.memory({ TIMMY_BB_PREFIX: "lib" })],
  ["redis", () => Workplace.redis(server)],
];

describe.each(STORES)("on %s", (store, makePlace) => {
  test("text, bytes and JSON, in and out", async () => {
    await using board = await makePlace().openBoard();
    expect([await board.get("k"), await board.getText("k"), await board.getJson("k")]).toEqual([
      null,
      null,
      null,
    ]);
    await board.set("k", "grüße");
    expect(await board.get("k")).toEqual(Buffer.from("grüße"));
    expect(await board.getText("k")).toBe("grüße");
    const bytes = Buffer.from([0, 255, 10]);
    await board.set("k", new Uint8Array(bytes));
    expect(await board.get("k")).toEqual(bytes);
    await board.set("k", "");
    expect(await board.get("k")).toEqual(Buffer.alloc(0));
  });

  test("objects are JSON with sorted keys; so are the other values of JSON", async () => {
    await using board = await makePlace().openBoard();
    await board.set("k", { b: [{ z: 1, a: null }], a: "ü" });
    expect(await board.getText("k")).toBe('{"a":"ü","b":[{"a":null,"z":1}]}');
    expect(await board.getJson("k")).toEqual({ a: "ü", b: [{ a: null, z: 1 }] });
    expect((await board.set("k", 1, { ifValue: { b: [{ a: null, z: 1 }], a: "ü" } })).written).toBe(true);
    for (const value of [0, -1.5, true, false, null, []]) {
      await board.set("k", value);
      expect(await board.getJson("k")).toEqual(value);
    }
    await board.set("k", "not {json s3cret");
    await expect(board.getJson("k")).rejects.toMatchObject({
      kind: "conflict",
      message: "the value is not JSON",
    });
  });

  test("what JSON cannot hold is refused before anything is written", async () => {
    await using board = await makePlace().openBoard();
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    for (const value of [cycle, { n: 1n }, () => 1]) {
      await expect(board.set("k", value)).rejects.toMatchObject({ kind: "usage" });
      await expect(board.publish("c", value)).rejects.toMatchObject({ kind: "usage" });
    }
    expect(await board.exists("k")).toBe(0);
  });

  test("keys and list are async iterables, and may be left early", async () => {
    await using board = await makePlace().openBoard();
    for (const key of ["a:1", "a:2", "b"]) await board.set(key, key);
    const keys: string[] = [];
    for await (const key of board.keys("a:*")) keys.push(key);
    expect(keys.sort()).toEqual(["a:1", "a:2"]);
    for await (const facts of board.list("b")) expect(facts).toMatchObject({ key: "b", size: 1 });
    for await (const _key of board.keys()) break;
    expect(await board.del(["a:1", "b", "none"])).toBe(2);
  });

  test("options win over the environment", async () => {
    const place = makePlace();
    const code = `const board = await library.openBlackboard({ prefix: "option", agent: "option", ttlSeconds: 100 });
      await board.set("k", "v");
      const [facts] = await Array.fromAsync?.(board.list("k")) ?? await (async () => { for await (const one of board.list("k")) return [one]; })();
      console.log(facts.by, Math.round(facts.ttlMs / 10_000));
      await board.close();`;
    expect(await program(place, code, { TIMMY_BB_PREFIX: "env", TIMMY_BB_AGENT: "env" })).toEqual(
      done("option 10\n"),
    );
    expect(await place.run(["get", "k", "--prefix", "option"])).toEqual(done("v\n"));
    if (store === "redis") await server.cli("del", "option:k");
  });

  test("getBlackboard is shared, and opens anew after close", async () => {
    const code = `const [one, two] = await Promise.all([library.getBlackboard(), library.getBlackboard()]);
      await one.set("k", "v");
      await one.close();
      const three = await library.getBlackboard();
      console.log(one === two, one === three, await three.getText("k"), one instanceof library.Blackboard);
      await three.close();`;
    expect(await program(makePlace(), code)).toEqual(done("true false v true\n"));
  });

  test("getBlackboard is not stuck with a board that could not be opened", async () => {
    const place = makePlace();
    const code = `process.env.TIMMY_BB_TTL = "soon";
      const kind = await library.getBlackboard().catch((error) => error.kind);
      delete process.env.TIMMY_BB_TTL;
      const board = await library.getBlackboard();
      console.log(kind, await board.exists("k"));
      await board.close();`;
    expect(await program(place, code)).toEqual(done("config 0\n"));
  });

  test("a process ends by itself after close, with nothing said, whatever was open", async () => {
    const code = `const board = await library.openBlackboard();
      const follower = board.subscribe(["c", "d*"]);
      await follower.ready;
      await board.subscribe("c", () => {});
      const loop = (async () => { for await (const _ of follower); })();
      await board.publish("c", "x");
      await board.close();
      await board.close();
      await loop;`;
    expect(await program(makePlace(), code)).toEqual(done());
  });

  test("an idle open board: redis holds a socket and so the process, the file holds neither", async () => {
    const code = `const board = await library.openBlackboard();
      await board.set("k", "v");
      const held = process.getActiveResourcesInfo().filter((name) => /TCP|Pipe(?!Wrap)|Timeout|FSEvent/.test(name));
      console.log(JSON.stringify(held));
      ${store === "redis" ? "await board.close();" : ""}`;
    expect(await program(makePlace(), code)).toEqual(
      done(store === "redis" ? '["TCPSocketWrap"]\n' : "[]\n"),
    );
  });

  test("after close every call is refused, and a follower's loop ends", async () => {
    const board = await makePlace().openBoard();
    const follower = board.subscribe("c");
    await within("ready", follower.ready);
    const loop = drain(follower);
    await board.publish("c", "last");
    await board.close();
    const heard = await within("the end of the loop", loop);
    expect(["", "last"]).toContain(heard.join());
    await expect(board.get("k")).rejects.toBeInstanceOf(library.BlackboardError);
    await expect(board.publish("c", "x")).rejects.toBeInstanceOf(library.BlackboardError);
    await expect(within("closed", board.closed)).resolves.toBeUndefined();
  });

  describe("subscribe", () => {
    test("an iterator: messages with who and when, in order", async () => {
      await using board = await makePlace().openBoard({ agent: "ada" });
      const follower = board.subscribe(["c", "other*"]);
      await follower.ready;
      const began = Date.now();
      const sent = [await board.publish("c", "one"), await board.publish("other1", { b: 1, a: 2 })];
      expect(sent.map(({ receivers }) => receivers)).toEqual([1, 1]);
      const messages = await take(follower, 2);
      expect(messages.map(({ channel, payload, by, id }) => [channel, payload.toString(), by, id])).toEqual([
        ["c", "one", "ada", sent[0]?.id],
        ["other1", '{"a":2,"b":1}', "ada", sent[1]?.id],
      ]);
      expect(Math.abs((messages[0]?.at ?? 0) - began)).toBeLessThan(60_000);
    });

    test("a signal ends it, one that is aborted already too", async () => {
      await using board = await makePlace().openBoard();
      const stop = new AbortController();
      const follower = board.subscribe("c", { signal: stop.signal });
      await follower.ready;
      const loop = drain(follower);
      stop.abort();
      expect(await within("the loop", loop)).toEqual([]);
      await until("no receivers", async () => (await board.publish("c", "x")).receivers === 0);
      expect(
        await within(
          "a loop that never begins",
          drain(board.subscribe("c", { signal: AbortSignal.abort() })).catch(() => []),
        ),
      ).toEqual([]);
    });

    test("leaving the loop ends it", async () => {
      await using board = await makePlace().openBoard();
      const follower = board.subscribe("c");
      await follower.ready;
      await board.publish("c", "x");
      for await (const { payload } of follower) {
        expect(payload.toString()).toBe("x");
        break;
      }
      await until("no receivers", async () => (await board.publish("c", "x")).receivers === 0);
    });

    test("callbacks: one after the other, until unsubscribed, one or all", async () => {
      await using board = await makePlace().openBoard();
      const heard: string[] = [];
      let atOnce = 0;
      const slow = async ({ payload }: Message) => {
        expect(++atOnce).toBe(1);
        await new Promise(setImmediate);
        heard.push(`slow ${payload}`);
        atOnce--;
      };
      const quick = ({ payload }: Message) => void heard.push(`quick ${payload}`);
      await board.subscribe("c", slow);
      await board.subscribe("c", quick);
      await expect(board.subscribe("c", quick)).rejects.toMatchObject({ kind: "usage" });
      for (const text of ["1", "2"]) expect((await board.publish("c", text)).receivers).toBe(2);
      await until("all four", () => heard.length === 4);
      expect(heard.filter((text) => text.startsWith("slow"))).toEqual(["slow 1", "slow 2"]);
      await board.unsubscribe("c", quick);
      await until("one receiver", async () => (await board.publish("c", "3")).receivers === 1);
      await board.unsubscribe("c");
      await until("none", async () => (await board.publish("c", "4")).receivers === 0);
      await board.unsubscribe("c");
      await board.unsubscribe("never");
      expect(
        heard.filter((text) => text.startsWith("quick") && text !== "quick 1" && text !== "quick 2"),
      ).toEqual([]);
    });

    test("wrong channels are refused", async () => {
      await using board = await makePlace().openBoard();
      expect(() => board.subscribe([])).toThrow(library.BlackboardError);
      expect(() => board.subscribe("")).toThrow(/empty/);
    });
  });

  test("errors have a kind, and never the value", async () => {
    await using board = await makePlace().openBoard();
    await board.set("k", "s3cret");
    const failures: ReadonlyArray<readonly [() => Promise<unknown>, string]> = [
      [() => board.incr("k"), "conflict"],
      [() => board.set("", "s3cret"), "usage"],
      [() => board.set("k", "s3cret", { ttlMs: -1 }), "usage"],
      [() => board.set("k", "s3cret", { if: "absent", ifValue: "s3cret" }), "usage"],
      [() => board.clear("*", { max: 0 }), "conflict"],
      [() => board.expire("k", 0), "usage"],
      [() => board.set("x".repeat(1025), "v"), "usage"],
    ];
    for (const [call, kind] of failures) {
      const error = await thrownBy(call());
      expect(error).toBeInstanceOf(library.BlackboardError);
      expect(error).toMatchObject({ kind, name: "BlackboardError" });
      expect(`${error instanceof Error ? error.stack : ""}`).not.toContain("s3cret");
    }
  });

  test("await using closes", async () => {
    const place = makePlace();
    let closed: Promise<void>;
    {
      await using board = await place.openBoard();
      closed = board.closed;
    }
    await within("closed", closed);
  });
});

describe("opening", () => {
  test("wrong options, each by its name, with the nearest right one", async () => {
    const wrong: ReadonlyArray<readonly [object, RegExp]> = [
      [{ bakend: "memory" }, /no option bakend/],
      [{ backend: "postgres" }, /option backend/],
      [{ url: "http://s3cret" }, /option url/],
      [{ ttlSeconds: -1 }, /option ttlSeconds/],
      [{ timeoutMs: 0 }, /option timeoutMs/],
      [{ prefix: "timmy-bb" }, /option prefix/],
      [{ agent: "" }, /option agent/],
    ];
    for (const [options, message] of wrong) {
      const error: unknown = await library.openBlackboard(options).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ kind: "usage", message: expect.stringMatching(message) });
      expect(String(error)).not.toContain("s3cret");
    }
  });

  test("a config file by name, its settings below the options", async () => {
    const place = Workplace.memory();
    writeFileSync(
      place.path("my.yaml"),
      "blackboard:\n  backend: memory\n  agent: file\n  memory: { path: here.db }\n",
    );
    const board = await library.openBlackboard({ config: place.path("my.yaml") });
    await board.set("k", "v");
    for await (const { by } of board.list()) expect(by).toBe("file");
    expect((await board.status()).stores[0]?.place).toBe(place.path("here.db"));
    await board.close();
    await expect(library.openBlackboard({ config: place.path("none.yaml") })).rejects.toMatchObject({
      kind: "config",
    });
  });

  test("nobody there: unavailable; a wrong password: config, without the password", async () => {
    const away = library.openBlackboard({ backend: "redis", url: "redis://127.0.0.1:1" });
    await expect(away).rejects.toMatchObject({ kind: "unavailable", hint: expect.stringMatching(/./) });
    const refused: unknown = await library
      .openBlackboard({ backend: "redis", url: server.url, password: "s3cret" })
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ kind: "config" });
    expect(JSON.stringify([String(refused), refused])).not.toContain("s3cret");
  });

  test("notices go to a process warning unless somebody takes them", async () => {
    const place = Workplace.bare({ TIMMY_BB_URL: "redis://127.0.0.1:1" });
    const code = `const board = await library.openBlackboard();
      await board.set("k", "v");
      await board.close();`;
    const { exit, out, err } = await program(place, code);
    expect({ exit, out }).toEqual({ exit: 0, out: "" });
    expect(err).toMatch(/^\(node:\d+\) TimmyBbWarning: cannot reach redis:\/\/127\.0\.0\.1:1 .* instead\n/);
  });

  test("the host's own signals, streams and exit code are left alone", async () => {
    const code = `const before = ["SIGINT", "SIGTERM", "uncaughtException", "exit"].map((name) => process.listenerCount(name));
      const board = await library.openBlackboard();
      await board.set("k", "v");
      console.log(before.join() === ["SIGINT", "SIGTERM", "uncaughtException", "exit"].map((name) => process.listenerCount(name)).join());
      await board.close();`;
    expect(await program(Workplace.memory(), code)).toEqual(done("true\n"));
  });

  test("onState tells a follower's program that redis went away and came back", async () => {
    await using own = await RedisServer.start();
    await using board = await Workplace.redis(own).openBoard();
    const states: FollowState[] = [];
    const follower = board.subscribe("c", { onState: (state) => states.push(state) });
    await follower.ready;
    await own.restart();
    await until("both words", () => states.length === 2, 20_000);
    expect(states).toEqual([
      { state: "away", store: "redis", reason: expect.stringMatching(/./) },
      { state: "back", store: "redis", awayMs: expect.any(Number), recovered: 0 },
    ]);
    await follower.close();
  });
});

/** What a call failed with, or a sentence that is no error. */
function thrownBy(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "it went well",
    (thrown: unknown) => thrown,
  );
}

async function drain(messages: AsyncIterable<Message>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { payload } of messages) texts.push(payload.toString());
  return texts;
}

async function take(messages: AsyncIterable<Message>, count: number): Promise<Message[]> {
  const taken: Message[] = [];
  for await (const message of messages) if (taken.push(message) === count) break;
  return taken;
}

describe.each(STORES)("what is wrong is refused on %s", (_store, makePlace) => {
  const usage = { kind: "usage" };

  test("a mistyped option or condition does not become an unconditional write or an unbounded clear", async () => {
    await using board = await makePlace().openBoard();
    await board.set("lock", "mine");
    const wrong = (options: object) => board.set("lock", "thief", options);
    await expect(wrong({ if: "abssent" })).rejects.toMatchObject(usage);
    await expect(wrong({ iff: "absent" })).rejects.toMatchObject({ ...usage, hint: "did you mean if?" });
    await expect(wrong({ ttl: 5 })).rejects.toMatchObject(usage);
    const clear = (options: object) => board.clear("*", options);
    await expect(clear({ dryrun: true })).rejects.toMatchObject(usage);
    await expect(clear({ max: Number("x") })).rejects.toMatchObject(usage);
    await expect(clear({ unwrittenForMs: -5 })).rejects.toMatchObject(usage);
    await expect(clear({ dryRun: "yes" })).rejects.toMatchObject(usage);
    await expect(board.del(Number.NaN as unknown as string)).rejects.toMatchObject(usage);
    expect(() => board.subscribe("c", { onstate: () => {} } as object)).toThrow("there is no option onstate");
    expect(await board.getText("lock")).toBe("mine");
  });

  test("binary data of any shape is bytes; what JSON would lose is refused", async () => {
    await using board = await makePlace().openBoard();
    const bytes = new Uint8Array([1, 2, 3, 4]);
    for (const value of [bytes.buffer, new DataView(bytes.buffer), new Uint16Array(bytes.buffer)]) {
      await board.set("k", value);
      expect(await board.get("k")).toEqual(Buffer.from(bytes));
    }
    const lost = [
      new Map([[1, 2]]),
      new Set([1]),
      Promise.resolve(1),
      new Blob(["x"]),
      Number.NaN,
      { a: Infinity },
    ];
    for (const value of [...lost, "a\ud800b", new Error("x"), () => 1]) {
      await expect(board.set("k", value)).rejects.toMatchObject(usage);
    }
    await board.set("k", { when: new Date(0), list: [1, null] });
    expect(await board.getText("k")).toBe('{"list":[1,null],"when":"1970-01-01T00:00:00.000Z"}');
  });

  test("a closed board does nothing any more, and says so", async () => {
    const board = await makePlace().openBoard();
    await board.close();
    await expect(board.get("k")).rejects.toMatchObject({ ...usage, message: "the board is closed" });
    await expect(board.set("k", "v")).rejects.toMatchObject(usage);
    expect(() => board.subscribe("c")).toThrow("the board is closed");
  });

  test("a signal that is aborted already follows nothing", async () => {
    await using board = await makePlace().openBoard();
    const follower = board.subscribe("c", { signal: AbortSignal.abort() });
    await follower.ready;
    expect((await board.publish("c", "m")).receivers).toBe(0);
    for await (const _message of follower) expect.unreachable();
  });
});
