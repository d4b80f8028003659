/** `batch --frames`: each call is answered to the byte as the command itself would, or left to it. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { killProcesses, type Started } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { removeTempDirs } from "../helpers/temp.ts";
import { until } from "../helpers/until.ts";
import { type Said, Workplace } from "../helpers/workplace.ts";

afterAll(() => {
  killProcesses();
  removeTempDirs();
});

/** The other half: asks, and reads what comes. */
class Asker {
  readonly process: Started;
  /** How many bytes of its output were read. */
  #at = 0;

  constructor(place: Workplace, ...options: string[]) {
    this.process = place.start(["batch", "--frames", ...options], { input: "open" });
  }

  /** `null`: the program is to be run for it. */
  async ask(form: string, ...words: readonly string[]): Promise<Said | null> {
    const fields = [form, String(words.length), ...words];
    this.process.process.stdin?.write(Buffer.from(fields.map((field) => `${field}\0`).join(""), "utf8"));
    const head = await this.#field();
    if (head === "!") return null;
    const [, exit, isOut, isErr] = /^(\d+)(o?)(e?)$/.exec(head) ?? [];
    return {
      exit: Number(exit),
      out: isOut ? await this.#field() : "",
      err: isErr ? await this.#field() : "",
    };
  }

  async end() {
    this.process.process.stdin?.end();
    return this.process.ended;
  }

  async #field(): Promise<string> {
    const end = await until("a field", () => {
      const at = this.process.stdout().indexOf(0, this.#at);
      return at < 0 ? null : { at };
    });
    const field = this.process.stdout().subarray(this.#at, end.at).toString("utf8");
    this.#at = end.at + 1;
    return field;
  }
}

const CALLS: ReadonlyArray<readonly string[]> = [
  ["set", "k", "v"],
  ["get", "k"],
  ["get", "k", "--raw"],
  ["get", "k", "--json", "--default", "x"],
  ["get", "none"],
  ["set", "k", "v", "--if-absent"],
  ["set", "k", "v", "--if-absent", "--json"],
  ["set", "two lines", "a\nb ä", "--no-ttl"],
  ["get", "two lines"],
  ["keys"],
  ["del", "two lines", "none"],
  ["exists", "k", "none"],
  ["incr", "k"],
  ["publish", "c", "-q", "--", "-m"],
  ["ttl", "two lines"],
  ["get"],
  ["get", "k", "--colour", "x"],
  ["set", "k", "x", "--ttl", "soon", "--color", "always"],
  ["nonsense"],
  [],
  ["lock", "release", "l", "--token", "t"],
  ["clear", "none*"],
];

test("exit, stdout and stderr are the command's own", async () => {
  const [place, other] = [Workplace.memory(), Workplace.memory()];
  const asker = new Asker(place);
  for (const words of CALLS) {
    const [asked, ran] = await Promise.all([asker.ask("", ...words), other.run(words)]);
    expect({ words, asked: withoutIds(asked) }).toEqual({ words, asked: withoutIds(ran) });
  }
  const { exitCode, stderr } = await asker.end();
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
});

function withoutIds(said: Said | null): Said | null {
  const strip = (text: string) =>
    text.replace(/"(id|at|ttl_ms)":("[^"]*"|\d+)/g, '"$1":0').replace(/\d+(ms|s) ago/, "ago");
  return said && { ...said, out: strip(said.out), err: strip(said.err) };
}

test("what is left to the program: what reads input, waits, asks, wants another board, or says too much; and nothing is done", async () => {
  const place = Workplace.memory();
  writeFileSync(place.path("file"), "x");
  await place.ended(["set", "nul"], { input: Buffer.from("a\0b") });
  await place.ended(["set", "large"], { input: Buffer.alloc(70_000, "x") });
  const asker = new Asker(place);
  const left: ReadonlyArray<readonly [string, string]> = [
    ["", "set k"],
    ["", "set k -"],
    ["", "set k --file file"],
    ["", "publish c --lines"],
    ["", "subscribe c"],
    ["", "watch k"],
    ["", "wait k"],
    ["", "take *"],
    ["", "lock run l -- true"],
    ["", "lock acquire l --no-wait"],
    ["", "lock release l"],
    ["012", "clear"],
    ["", "--help"],
    ["", "get --help"],
    ["", "--version"],
    ["", "batch"],
    ["", "set k v --prefix other"],
    ["", "--timeout 1s get k"],
    ["", "get nul"],
    ["", "get large"],
  ];
  for (const [form, call] of left)
    expect({ call, said: await asker.ask(form, ...call.split(" ")) }).toEqual({ call, said: null });
  expect(await asker.ask("12", "keys")).toEqual({ exit: 0, out: "large\nnul\n", err: "" });
  expect(await asker.ask("", "get", "nul", "--json")).toMatchObject({ exit: 0 });
  expect((await asker.end()).exitCode).toBe(0);
});

test("on a terminal: tables and colours, at its width, and control characters shown", async () => {
  const place = Workplace.memory();
  const asker = new Asker(place);
  await asker.ask("", "set", "k", "a\x1b[31m", "--no-ttl");
  expect(await asker.ask("1:80", "get", "k")).toEqual({ exit: 0, out: "a^[[31m\n", err: "" });
  expect(await asker.ask("02:80", "get", "k")).toEqual({ exit: 0, out: "a\x1b[31m\n", err: "" });
  expect((await asker.ask("1:80", "keys", "--long"))?.out).toMatch(/^\x1b\[1mKEY\x1b\[22m +\x1b\[1mTTL/);
  expect((await asker.ask("2", "get"))?.err).toMatch(/^\x1b\[31mtimmy-bb:\x1b\[39m missing/);
  await asker.end();
});

test("a store that goes away and comes back; notices come with each call", async () => {
  await using own = await RedisServer.start();
  const place = Workplace.redis(own, { TIMMY_BB_BACKEND: "auto" });
  const asker = new Asker(place);
  expect(await asker.ask("", "set", "k", "v")).toEqual({ exit: 0, out: "", err: "" });
  await own.kill();
  const fallenBack = {
    exit: 1,
    out: "",
    err: expect.stringMatching(/^timmy-bb: cannot reach redis.*; using .*\n$/),
  };
  expect(await asker.ask("", "get", "k")).toEqual(fallenBack);
  expect(await asker.ask("", "get", "k")).toEqual(fallenBack);
  expect((await asker.ask("", "incr", "n"))?.exit).toBe(4);
  await own.restart();
  expect(await asker.ask("", "incr", "n")).toEqual({ exit: 0, out: "1\n", err: expect.any(String) });
  await asker.end();
});

test("Ctrl-C is not for it; it ends by SIGTERM, and soon after its shell", async () => {
  const place = Workplace.memory();
  const asker = new Asker(place);
  expect((await asker.ask("", "set", "k", "v"))?.exit).toBe(0);
  asker.process.process.kill("SIGINT");
  asker.process.process.kill("SIGQUIT");
  expect((await asker.ask("", "get", "k"))?.out).toBe("v\n");
  asker.process.process.kill("SIGTERM");
  expect((await asker.process.ended).exitCode).toBe(0);

  execFileSync("mkfifo", [place.path("requests")]);
  const shell = place.startBash(
    "timmy-bb batch --frames < requests > replies 2>&1 & echo $!; until [ -s replies ]; do sleep 0.05; done",
  );
  const held = openSync(place.path("requests"), "w"); // as one of the shell's other children might
  writeSync(held, "\x001\0keys\0");
  const pid = Number((await shell.ended).stdout.toString());
  await until("its end", () => !isRunning(pid));
  closeSync(held);
});

test("what is no request ends it, when those in front of that have been answered", async () => {
  const place = Workplace.memory();
  const requests = "printf '\\0003\\0set\\0k\\0v\\0no form\\0' | timmy-bb batch --frames";
  const { exitCode, stdout, stderr } = await place.startBash(requests).ended;
  expect([exitCode, stdout.toString()]).toEqual([2, "0\0"]);
  expect(stderr.toString()).toContain("what came is no request");
  expect(await place.ask("get", "k")).toBe("v\n");
});

test("a config file that has changed: the program is run, and whoever asks begins anew", async () => {
  const place = Workplace.memory();
  writeFileSync(place.path("config.yaml"), "blackboard:\n  keyspace_prefix: one\n");
  const asker = new Asker(place);
  expect((await asker.ask("", "set", "k", "v"))?.exit).toBe(0);
  writeFileSync(place.path("config.yaml"), "blackboard:\n  keyspace_prefix: another\n");
  expect(await asker.ask("", "get", "k")).toBeNull();
  expect((await asker.process.ended).exitCode).toBe(0);
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
