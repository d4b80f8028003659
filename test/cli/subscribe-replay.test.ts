/** What was said before: `--last`, `--since`, gaps, and the usage of all that chooses messages. */
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { done, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

const STORES: ReadonlyArray<readonly [string, (env?: Record<string, string>) => Workplace]> = [
  ["memory", (env) => Workplace.memory(env)],
  ["redis", (env) => Workplace.redis(server, env)],
];

/** Sends each of some payloads, in order, and returns their ids. */
async function say(place: Workplace, channel: string, ...payloads: string[]): Promise<string[]> {
  await using board = await place.openBoard();
  const ids: string[] = [];
  for (const payload of payloads) ids.push((await board.publish(channel, payload)).id);
  return ids;
}

describe.concurrent.each(STORES)("replay on %s", (_name, makePlace) => {
  test("alone it prints what is there and ends; what is not there is no error", async () => {
    const place = makePlace();
    const [first = ""] = await say(place, "log", "one", "two\nlines", "three");
    await say(place, "other", "four");
    expect(await place.run(["subscribe", "log", "--last", "2"])).toEqual(done("two\nlines\nthree\n"));
    expect(await place.run(["subscribe", "log", "--last", "0"])).toEqual(done());
    expect(await place.run(["subscribe", "log", "--since", first])).toEqual(done("two\nlines\nthree\n"));
    expect(await place.run(["subscribe", "log", "--since", "10m", "--raw"])).toEqual(
      done("onetwo\nlinesthree"),
    );
    expect(await place.run(["subscribe", "*", "--since", "10m"])).toEqual(
      done("log\tone\nlog\ttwo\\nlines\nlog\tthree\nother\tfour\n"),
    );
    expect(await place.run(["subscribe", "log", "other", "--last", "2"])).toEqual(
      done("log\tthree\nother\tfour\n"),
    );
    const today = new Date(Date.now() - 60_000).toISOString();
    expect(await place.run(["subscribe", "other", "--since", today])).toEqual(done("four\n"));
    const future = new Date(Date.now() + 3_600_000).toISOString();
    expect(await place.run(["subscribe", "other", "--since", future])).toEqual(done());
    expect(await place.run(["subscribe", "nothing", "--last", "5", "--json"])).toEqual(done());
  });

  test("with --follow or --count it goes on with what comes", async () => {
    const place = makePlace();
    await say(place, "log", "one", "two");
    const counting = place.start(["subscribe", "log", "--last", "1", "--count", "3"]);
    const following = place.start(["subscribe", "log", "--since", "10m", "--follow", "--wait", "20s"]);
    await until("the old", () => counting.stdout().length > 0 && following.stdout().length > 0);
    await say(place, "log", "three", "four");
    expect((await counting.ended).stdout.toString()).toBe("two\nthree\nfour\n");
    await until("all", () => following.stdout().toString() === "one\ntwo\nthree\nfour\n");
    following.process.kill("SIGTERM");
    expect((await following.ended).exitCode).toBe(143);
    expect(await place.run(["subscribe", "log", "--last", "4", "-n", "2"])).toEqual(done("one\ntwo\n"));
  });

  test("what retention dropped is told: in its place in JSON, on stderr else", async () => {
    const place = makePlace({ TIMMY_BB_HISTORY_MESSAGES_PER_CHANNEL: "2" });
    const sent = await place.bash("seq 5 | timmy-bb publish log --lines --json");
    const ids = rowsOf(sent.out).map(({ id }) => String(id));
    const gap = { channel: "log", after: ids[0], next: ids[3] };
    const rows = await place.ask("subscribe", "log", "--since", ids[0] ?? "", "--json");
    expect(rowsOf(rows).map((row) => row.gap ?? row.payload)).toEqual([gap, "4", "5"]);
    const plain = await place.run(["subscribe", "log", "--since", ids[0] ?? ""]);
    const notice = `timmy-bb: messages of log after ${ids[0]} were dropped by retention; going on at ${ids[3]}\n`;
    expect(plain).toEqual({ exit: 0, out: "4\n5\n", err: notice });
    const handled = await place.run(["subscribe", "log", "--since", ids[0] ?? "", "--json", "--", "cat"]);
    expect([handled.exit, handled.out]).toEqual([0, "45"]);
    expect(handled.err).toBe(`${JSON.stringify({ notice: notice.slice("timmy-bb: ".length, -1) })}\n`);
  });
});

function rowsOf(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe.concurrent("usage", () => {
  const refusals: ReadonlyArray<readonly [string[], RegExp]> = [
    [["--last", "1", "--since", "1h"], /^timmy-bb: --last and --since cannot go together\n$/],
    [["--since", "soon"], /^timmy-bb: --since: neither an id, .*\nhint: .*1763800000000-0.*10m.*2026-11-22/],
    [["--follow", "--count", "2"], /--follow and --count cannot go together/],
    [["--consumer", "c", "--last", "1"], /--consumer and --last cannot go together/],
    [["--consumer", "c", "--since", "1h"], /--consumer and --since cannot go together/],
    [["--consumer", "c", "--from-now", "--from-start"], /--from-start and --from-now cannot go together/],
    [["--from-start"], /--from-start needs --consumer NAME/],
    [["--from-now"], /--from-now needs --consumer NAME/],
    [["--ack-timeout", "5s"], /--ack-timeout needs --consumer NAME/],
    [["--retries", "1", "--", "true"], /--retries needs --consumer NAME/],
    [["--consumer", "c", "--retries", "1"], /--retries needs -- CMD/],
    [["--parallel", "2"], /--parallel needs -- CMD/],
    [["--on-busy", "drop"], /--on-busy needs -- CMD/],
    [["--exec-timeout", "5s"], /--exec-timeout needs -- CMD/],
    [["--parallel", "0", "--", "true"], /--parallel: must be a whole number, at least 1/],
    [["--parallel", "100000", "--", "true"], /--parallel: at most 1000/],
    [["--on-busy", "wait", "--", "true"], /--on-busy: must be queue, drop or coalesce/],
    [
      ["--consumer", "c", "--on-busy", "drop", "--", "true"],
      /--on-busy drop would lose what the consumer keeps/,
    ],
    [["--raw", "--", "true"], /--raw is about printing/],
    [["--"], /behind -- the command to run is missing/],
    [["--nothing", "--", "true"], /there is no option --nothing\nhint: timmy-bb subscribe --help/],
  ];
  test.each(refusals)("subscribe c %j", async (words, message) => {
    const { exit, out, err } = await Workplace.memory().run(["subscribe", "c", ...words]);
    expect({ exit, out, err }).toEqual({ exit: 2, out: "", err: expect.stringMatching(message) });
  });

  test("what stands behind -- is no option of ours, and no channel", async () => {
    const place = Workplace.memory();
    await say(place, "c", "m");
    const words = ["subscribe", "c", "--last", "1", "--", "printf", "%s,", "--json", "--help", "--", "-n"];
    expect(await place.run(words)).toEqual(done("--json,--help,--,-n,"));
    expect((await place.run(["subscribe", "--", "cat"])).err).toContain("missing: channels");
    expect((await place.run(["get", "--", "--nothing"])).exit).toBe(1);
    expect((await place.run(["subscribe", "--help"])).out).toContain(
      "Usage: timmy-bb subscribe <channels...> [options] [-- CMD ARG…]\n",
    );
  });
});
