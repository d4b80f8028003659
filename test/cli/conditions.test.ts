/** Changes that are made only if something holds: what is said if it does not, files, and what makes no sense. What the stores do, the conformance suite proves. */
import { writeFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { done, type Said, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

const STORES: ReadonlyArray<readonly [string, () => Workplace]> = [
  ["memory", () => Workplace.memory()],
  ["redis", () => Workplace.redis(server)],
];

function refused(message: string): Said {
  return { exit: 5, out: "", err: expect.stringMatching(new RegExp(`^timmy-bb: ${message}\n`)) };
}

describe.concurrent.each(STORES)("on %s", (_name, makePlace) => {
  test("set, expire and del --if-value-file: byte for byte; the author is told, no value", async () => {
    const place = makePlace();
    writeFileSync(place.path("old"), Buffer.from("s3cret\0\xff\n", "latin1"));
    writeFileSync(place.path("new"), Buffer.from("s3cret\0\xff", "latin1"));
    await place.ask("set", "k", "--file", "old", "--agent", "ada");
    const author = "the condition does not hold \\(written by ada, \\S+ ago\\)";
    const calls: ReadonlyArray<readonly [string[], string]> = [
      [["set", "k", "s3cret"], "not written"],
      [["expire", "k", "5s"], "not changed"],
      [["del", "k"], "not deleted"],
    ];
    for (const [words, not] of calls) {
      const { exit, out, err } = await place.run([...words, "--if-value-file", "new"]);
      expect([exit, out]).toEqual([5, ""]);
      expect(err).toMatch(new RegExp(`^timmy-bb: ${not}: ${author}\n$`));
    }
    expect(await place.run(["expire", "k", "1h", "--if-value-file", "old"])).toEqual(done());
    expect(await place.run(["set", "k", "--file", "new", "--if-value-file", "old"])).toEqual(done());
    expect(await place.run(["del", "k", "--if-value-file", "new", "--json"])).toEqual(
      done('{"deleted":1}\n'),
    );
  });
});

// What the stores do, the conformance suite proves on both: these are of what the command says.
describe.concurrent("on one store", () => {
  const makePlace = () => Workplace.memory();

  test("an absent key does not have the value: 5", async () => {
    const place = makePlace();
    expect(await place.run(["del", "k", "--if-value", ""])).toEqual(
      refused("not deleted: there is no such key"),
    );
    expect(await place.run(["expire", "k", "5s", "--if-value", ""])).toEqual(
      refused("not changed: there is no such key"),
    );
  });

  test("a fence: written as long as nobody else has got the lock, with a condition too", async () => {
    const place = makePlace();
    const { token, fence } = JSON.parse(await place.ask("lock", "acquire", "l", "--json"));
    const fenced = ["set", "k", "v", "--lock", "l", "--fence", String(fence)];
    expect(await place.run(fenced)).toEqual(done());
    expect(await place.run([...fenced, "--if-value", "w"])).toEqual(
      refused("not written: the condition does not hold .*"),
    );
    await place.ask("lock", "release", "l", "--token", token);
    expect(await place.run([...fenced, "--if-value", "v"])).toEqual(done());
    await place.ask("lock", "acquire", "l", "--agent", "ada");
    const { exit, out, err } = await place.run([...fenced, "--json"]);
    expect([exit, out]).toEqual([5, ""]);
    expect(JSON.parse(err)).toEqual({
      error: {
        kind: "conflict",
        message: expect.stringMatching(
          /^not written: no grant of the lock l stands as \d+; it was granted last to ada, \S+ ago$/,
        ),
        hint: "get the lock again before you go on",
        exit: 5,
      },
    });
    expect(await place.run(["set", "k", "v", "--lock", "never", "--fence", String(fence)])).toEqual(
      refused("not written: nothing is known of the lock never\nhint: .*"),
    );
  });
});

test("a foreign client's value: its author is not known, and nothing is made up", async () => {
  const place = Workplace.redis(server);
  await server.cli("set", `${place.prefix}:k`, "v");
  const err = "timmy-bb: not deleted: the condition does not hold\n";
  expect(await place.run(["del", "k", "--if-value", "w"])).toEqual({ exit: 5, out: "", err });
});

test("what makes no sense is refused before anything is done", async () => {
  const place = Workplace.memory();
  await place.ask("set", "k", "v");
  const refusals: ReadonlyArray<readonly [string[], string]> = [
    [["set", "k", "w", "--if-absent", "--if-value", "v"], "--if-absent and --if-value cannot go together"],
    [
      ["set", "k", "w", "--if-value", "v", "--if-value-file", "f"],
      "--if-value and --if-value-file cannot go together",
    ],
    [["set", "k", "w", "--if-value-file", "nowhere"], "cannot read nowhere: "],
    [["del", "k", "l", "--if-value", "v"], "--if-value is for one key"],
    [["set", "k", "w", "--fence", "1"], "--fence needs --lock NAME"],
    [["set", "k", "w", "--lock", "l"], "--lock needs --fence N"],
    [["set", "k", "w", "--lock", "l", "--fence", ""], "--fence: must be the number that came with the lock"],
    [["set", "k", "w", "--lock", "l", "--fence", "9999999999999999"], "--fence: must be the number"],
    [["set", "k", "w", "--lock", "", "--fence", "1"], "the lock is empty"],
  ];
  for (const [words, message] of refusals) {
    const { exit, out, err } = await place.run(words);
    expect({ words, exit, out }).toEqual({ words, exit: 2, out: "" });
    expect(err.startsWith(`timmy-bb: ${message}`), err).toBe(true);
  }
  expect(await place.ask("get", "k")).toBe("v\n");
});

test("without redis, auto does not decide on the file who wins", async () => {
  const place = Workplace.bare({ TIMMY_BB_URL: "redis://127.0.0.1:1" });
  const calls = [
    ["set", "k", "v", "--if-absent"],
    ["set", "k", "v", "--lock", "l", "--fence", "1"],
    ["del", "k", "--if-value", "v"],
    ["expire", "k", "5s", "--if-value", "v"],
    ["take", "k", "--wait", "10s"],
    ["lock", "acquire", "l"],
  ];
  for (const words of calls) {
    const { exit, out, err } = await place.run(words);
    expect({ words, exit, out }).toEqual({ words, exit: 4, out: "" });
    expect(err).toMatch(/^timmy-bb: cannot reach redis:.*\nhint: --backend memory .*\n$/);
  }
});
