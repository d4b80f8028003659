/** `--consumer` and `consumers`: a position that outlives processes, shared work, failures that are kept. */
import { writeFileSync } from "node:fs";
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

const STORES: ReadonlyArray<readonly [string, () => Workplace]> = [
  ["memory", () => Workplace.memory()],
  ["redis", () => Workplace.redis(server)],
];

async function say(place: Workplace, channel: string, ...payloads: string[]): Promise<string[]> {
  await using board = await place.openBoard({ agent: "ada" });
  const ids: string[] = [];
  for (const payload of payloads) ids.push((await board.publish(channel, payload)).id);
  return ids;
}

describe.concurrent.each(STORES)("on %s", (_name, makePlace) => {
  test("each call goes on where the last one stopped; -n, --from-now, patterns", async () => {
    const place = makePlace();
    await say(place, "c", "1", "2", "3", "4");
    const read = (...more: string[]) => place.ask("subscribe", "c", "--consumer", "r", ...more);
    expect(await read()).toBe("1\n");
    expect(await read("-n", "2", "--from-now")).toBe("2\n3\n"); // it is known, and has its position
    expect(
      await place.run(["subscribe", "c", "--consumer", "late", "--from-now", "--wait", "200ms"]),
    ).toEqual({
      exit: 3,
      out: "",
      err: "timmy-bb: timed out after 200ms\n",
    });
    await say(place, "d", "5");
    expect(await place.ask("subscribe", "c", "d", "--consumer", "late", "--json")).toContain('"payload":"5"');
    expect(await place.ask("subscribe", "*", "--consumer", "all", "-n", "5")).toBe(
      "c\t1\nc\t2\nc\t3\nc\t4\nd\t5\n",
    );
  });

  test("two workers share the messages, each message once", async () => {
    const place = makePlace();
    const words = ["subscribe", "c", "--consumer", "w", "--follow"];
    const workers = [place.start(words), place.start(words)];
    {
      await using board = await place.openBoard();
      await until("both", async () => (await board.consumers())[0]?.workers.length === 2);
    }
    expect(await place.ask("consumers")).toMatch(/\t2\t0\n$/);
    await place.bash("seq 1 300 | timmy-bb publish c --lines > sent");
    const lines = () => workers.flatMap((worker) => worker.stdout().toString().split("\n")).filter(Boolean);
    await until("all", () => lines().length >= 300);
    expect(
      lines()
        .map(Number)
        .sort((left, right) => left - right),
    ).toEqual(Array.from({ length: 300 }, (_, n) => n + 1));
    for (const worker of workers) worker.process.kill("SIGTERM");
    for (const worker of workers) expect((await worker.ended).exitCode).toBe(143);
    expect(await place.ask("consumers")).toMatch(/^w\t\d+-\d+\t0\t0\t0\t0\n$/);
  });

  test("a command that fails is run again, then the message goes to CHANNEL:failed, whole", async () => {
    const place = makePlace();
    const [id] = await say(place, "c", "a\0b", "next");
    const script = 'printf "%s " "$TIMMY_BB_ATTEMPT"; exit 4';
    const { exit, out, err } = await place.run([
      "subscribe",
      "c",
      "--consumer",
      "w",
      "--retries",
      "2",
      "--",
      "sh",
      "-c",
      script,
    ]);
    expect({ exit, out }).toEqual({ exit: 4, out: "1 2 3 " });
    expect(err).toBe(
      `timmy-bb: sh exited 4 (c ${id}); trying again in 200ms\n` +
        `timmy-bb: sh exited 4 (c ${id}); trying again in 800ms\n` +
        `timmy-bb: sh exited 4 (c ${id}); it has gone to c:failed\n`,
    );
    const [failed] = rowsOf(await place.ask("subscribe", "c:failed", "--last", "1", "--json"));
    expect(failed).toMatchObject({ channel: "c:failed", payload: "a\0b" });
    expect(failed?.failure).toEqual({
      channel: "c",
      id,
      by: "ada",
      consumer: "w",
      attempts: 3,
      reason: "exited 4",
    });
    const reason = ["subscribe", "c:failed", "--last", "1", "--", "printenv", "TIMMY_BB_FAILURE_REASON"];
    expect(await place.ask(...reason)).toBe("exited 4\n");
    expect(await place.ask("subscribe", "c", "--consumer", "w")).toBe("next\n");
  });

  test("the order stays: a message that is tried again holds up those behind it", async () => {
    const place = makePlace();
    await say(place, "c", "1", "2", "3");
    const script = 'n=$(cat); echo "$n.$TIMMY_BB_ATTEMPT"; test "$n.$TIMMY_BB_ATTEMPT" != 2.1';
    const { exit, out } = await place.run([
      "subscribe",
      "c",
      "--consumer",
      "w",
      "-n",
      "3",
      "--",
      "sh",
      "-c",
      script,
    ]);
    expect({ exit, out }).toEqual({ exit: 0, out: "1.1\n2.1\n2.2\n3.1\n" });
  });

  test("no such command: the message is given back, untried", async () => {
    const place = makePlace();
    await say(place, "c", "1");
    const { exit, err } = await place.run(["subscribe", "c", "--consumer", "w", "--", "no-such-command"]);
    expect({ exit, err }).toEqual({
      exit: 127,
      err: "timmy-bb: cannot run no-such-command: there is no such command\n",
    });
    const script = 'cat; echo " $TIMMY_BB_ATTEMPT"';
    expect(await place.ask("subscribe", "c", "--consumer", "w", "--", "sh", "-c", script)).toBe("1 1\n");
  });

  test("a command that is gone: what it was for is another worker's at once", async () => {
    const place = makePlace();
    const script = '#!/bin/sh\nrm "$0"; echo begun; until [ -e open ]; do sleep 0.01; done\n';
    writeFileSync(place.path("once"), script, { mode: 0o755 });
    await say(place, "c", "1");
    const words = ["subscribe", "c", "--consumer", "w"];
    const first = place.start([...words, "--follow", "--parallel", "2", "--", "./once"]);
    await until("its command", () => first.stdout().includes("begun"));
    await say(place, "c", "2");
    expect(await place.ask(...words, "--wait", "10s")).toBe("2\n");
    writeFileSync(place.path("open"), "");
    expect((await first.ended).exitCode).toBe(127);
    expect(await place.ask("consumers")).toMatch(/^w\t\S+\t0\t0\t0\t0\n$/);
  });

  test("a worker that was killed: another takes over, not before --ack-timeout", async () => {
    const place = makePlace();
    await say(place, "c", "1");
    const words = ["subscribe", "c", "--consumer", "w", "--ack-timeout", "1s", "--", "sh", "-c"];
    const first = place.start([...words, "echo $$; sleep 1000"]);
    await until("its command", () => first.stdout().includes("\n"));
    const killedAt = performance.now();
    first.process.kill("SIGKILL");
    process.kill(-Number(first.stdout()), "SIGKILL"); // what a killed worker started, nobody ends
    await first.ended;
    expect(await place.ask("consumers", "show", "w")).toMatch(
      /^channel\tc\t\S+\t1\t0\nworker\t\S+\t1\tdead\n$/,
    );
    const { exit, out, err } = await place.run([...words, "echo $TIMMY_BB_ATTEMPT"]);
    expect({ exit, out }).toEqual({ exit: 0, out: "2\n" });
    // On a slow machine its time may be up by now.
    expect(err).toMatch(
      /^(timmy-bb: waiting for 1 message that a lost worker holds, at most (1s|\d+ms)\n)?$/,
    );
    expect(performance.now() - killedAt).toBeGreaterThan(500);
  });

  test("--parallel: several messages of a consumer at once", async () => {
    const place = makePlace();
    await say(place, "c", "1", "2", "3");
    const script = 'n=$(cat); : > "begun.$n"; until [ "$(ls begun.* | wc -l)" = 3 ]; do sleep 0.01; done';
    const words = [
      "subscribe",
      "c",
      "--consumer",
      "w",
      "-n",
      "3",
      "--parallel",
      "3",
      "--",
      "sh",
      "-c",
      script,
    ];
    expect(await place.run(words)).toEqual(done());
    expect(await place.ask("consumers")).toMatch(/^w\t\S+\t0\t0\t0\t0\n$/);
  });

  test("consumers list, show and delete", async () => {
    const place = makePlace();
    expect(await place.run(["consumers"])).toEqual(done());
    const ids = await say(place, "c", "1", "2", "3");
    await place.ask("subscribe", "c", "--consumer", "b", "-n", "2");
    await place.ask("subscribe", "c", "d", "--consumer", "a");
    expect(await place.ask("consumers", "list")).toBe(`a\t${ids[0]}\t0\t2\t0\t0\nb\t${ids[1]}\t0\t1\t0\t0\n`);
    const [a] = rowsOf(await place.ask("consumers", "--json"));
    expect(a).toEqual({ consumer: "a", position: ids[0], pending: 0, lag: 2, workers: 0, dead: 0 });
    expect(await place.ask("consumers", "show", "b")).toBe(`channel\tc\t${ids[1]}\t0\t1\n`);
    const follower = place.start(["subscribe", "c", "--consumer", "b", "--follow", "--agent", "eve"]);
    await until("its message", () => follower.stdout().toString() === "3\n");
    const [b] = rowsOf(await place.ask("consumers", "show", "b", "--json"));
    expect(b).toEqual({
      consumer: "b",
      channels: [{ channel: "c", position: ids[2], pending: 0, lag: 0 }],
      workers: [{ worker: expect.stringMatching(/^eve#/), pending: 0, alive: true }],
    });
    expect(await place.run(["consumers", "delete", "b"])).toEqual(done("1\n"));
    const { exitCode, stderr } = await follower.ended;
    expect([exitCode, stderr]).toEqual([5, expect.stringMatching(/^timmy-bb: the consumer b was deleted\n/)]);
    expect(await place.run(["consumers", "delete", "b"])).toEqual({ exit: 1, out: "0\n", err: "" });
    expect(await place.run(["consumers", "show", "b"])).toEqual({ exit: 1, out: "", err: "" });
    expect(await place.ask("subscribe", "c", "--consumer", "b")).toBe("1\n");
  });
});

test("usage of consumers", async () => {
  const place = Workplace.memory();
  const refusals: ReadonlyArray<readonly [string[], string]> = [
    [["secret"], "there is list, show and delete"],
    [["list", "x"], "list takes no name; show does"],
    [["show"], "the name is missing"],
    [["delete"], "the name is missing"],
    [["delete", ""], "the consumer is empty"],
  ];
  for (const [words, message] of refusals) {
    const { exit, out, err } = await place.run(["consumers", ...words]);
    expect({ words, exit, out, err: err.split("\n")[0] }).toEqual({
      words,
      exit: 2,
      out: "",
      err: `timmy-bb: ${message}`,
    });
  }
});

function rowsOf(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}
