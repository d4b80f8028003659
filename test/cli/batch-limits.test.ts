/** `batch` where something is in its way: an output that takes nothing, a file that is locked, large values, a server that forgets. */
import { readFileSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "@photostructure/sqlite";
import { expect, test } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { Workplace } from "../helpers/workplace.ts";

let server: RedisServer;
withServer((started) => {
  server = started;
});

const lines = (...some: readonly string[]) => Buffer.from(some.map((line) => `${line}\n`).join(""));

test("a command of more keys than redis takes in one step keeps its place among the others", async () => {
  const place = Workplace.redis(server);
  const names = Array.from({ length: 1000 }, (_, n) => `n:${n}`);
  const all = names.join(" ");
  const input = lines(
    ...names.map((name) => `set ${name} x`),
    `del ${all}`,
    "set n:999 after",
    "get n:999",
    `exists ${all}`,
    "set n:998 after",
  );
  const { exitCode, stdout } = await place.ended(["batch"], { input });
  const replies = stdout.toString().split("\n").slice(1000);
  expect({ exitCode, replies }).toEqual({
    exitCode: 0,
    replies: [
      '{"exit":0,"rows":[{"deleted":1000}]}',
      expect.stringContaining('{"exit":0,'),
      expect.stringContaining('"value":"after"'),
      '{"exit":1,"rows":[{"existing":1,"asked":1000}]}',
      expect.stringContaining('{"exit":0,'),
      "",
    ],
  });
});

test("a server that forgets its scripts in the middle: effects keep their order", async () => {
  const place = Workplace.redis(server);
  const batch = place.start(["batch"], { input: "open" });
  batch.process.stdin?.write("set n 1\n");
  await until("the reply", () => batch.stdout().includes(10));
  await server.cli("script", "flush");
  batch.process.stdin?.end("set n 100\nincr n\nget n\n");
  const { exitCode, stdout } = await batch.ended;
  expect({ exitCode, last: stdout.toString().trimEnd().split("\n").at(-1) }).toEqual({
    exitCode: 0,
    last: expect.stringContaining('"value":"101"'),
  });
});

test("output that cannot be written: what was taken is named, the lock given back, and nothing behind it begun", async () => {
  const place = Workplace.memory();
  await place.ask("set", "task", "x", "--no-ttl");
  const full = (text: string) => place.bash(`printf '${text}' | timmy-bb batch > /dev/full`);
  const cannot = "timmy-bb: cannot write the output: ENOSPC: no space left on device, write\n";
  expect(await full("lock acquire l --no-wait\\nset after 1\\n")).toEqual({ exit: 4, out: "", err: cannot });
  expect(await place.run(["lock", "show", "l"])).toMatchObject({ exit: 1 });
  const { exit, err } = await full("set before 1\\ntake task\\ntake before\\nset after 1\\n");
  expect({ exit, err }).toEqual({ exit: 4, err: cannot });
  expect((await full("take task\\ntake before\\nset after 1\\n")).err).toBe(
    `timmy-bb: task was taken and could not be printed; timmy-bb history may still have its value\n${cannot}`,
  );
  expect(await place.ask("keys")).toBe("before\n");
});

test("a locked board file: one timeout, and what waited for its turn is not begun", async () => {
  const place = Workplace.memory();
  await place.ask("set", "n", "1");
  const holder = new DatabaseSync(place.boardFile);
  holder.exec("BEGIN IMMEDIATE");
  const began = performance.now();
  const input = lines(...Array.from({ length: 30 }, () => "incr n"));
  const { exitCode, stdout, stderr } = await place.ended(["batch", "--timeout", "1s"], { input });
  expect(performance.now() - began).toBeLessThan(6000); // 30 timeouts would take 30 s
  holder.exec("ROLLBACK");
  holder.close();
  const messages = stdout.toString().match(/"message":"[^"]*/g) ?? [];
  expect(exitCode).toBe(4);
  expect(stderr).toMatch(/^timmy-bb: 30 of the commands failed, the first, in line 1: the board file /);
  expect(messages).toHaveLength(30);
  expect(messages[0]).toMatch(/^"message":"the board file /);
  expect(messages.at(-1)).toMatch(/^"message":"not begun: the board file /);
  expect(await place.ask("get", "n")).toBe("1\n");
});

test("many large values: replies are written in pieces, and memory stays bounded", async () => {
  const place = Workplace.memory();
  const size = 9_000_000; // all of them together are more than a string can be
  await place.ended(["set", "large"], { input: Buffer.alloc(size, "x") });
  writeFileSync(place.path("lines"), "get large\n".repeat(64));
  const shell = place.startBash(
    "{ timmy-bb batch < lines & echo $! >&2; wait $!; echo $? > exit; } | wc -lc; cat exit",
  );
  const pid = await until("its number", () => Number(shell.stderr()));
  let mostKib = 0;
  const looking = setInterval(() => {
    mostKib = Math.max(mostKib, peakKib(pid));
  }, 20);
  const { stdout } = await shell.ended.finally(() => clearInterval(looking));
  const [count, bytes, exit] = stdout.toString().trim().split(/\s+/).map(Number);
  expect({ count, exit, isAll: Number(bytes) > 64 * size }).toEqual({ count: 64, exit: 0, isAll: true });
  expect(mostKib).toBeGreaterThan(0);
  expect(mostKib).toBeLessThan(500 * 1024);
});

/** Linux's own count of the most memory a process had. */
function peakKib(pid: number): number {
  try {
    return Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0; // it has ended
  }
}

test("files are read one at a time, and never is what the batch itself reads", async () => {
  const place = Workplace.memory();
  writeFileSync(place.path("file"), Buffer.alloc(16_000_000, "y"));
  const own = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].map((path) => `set k --file ${path}`);
  const files = Array.from({ length: 60 }, () => "set n --file file");
  const input = lines(...own, "del k --if-value-file /dev/stdin", "set k x", ...files, "del k n");
  writeFileSync(place.path("lines"), input);
  const { exit, out } = await place.bash("set -o pipefail; cat lines | timmy-bb batch");
  const exits = out.match(/(?<="exit":)\d(?=,"(rows|error))/g)?.join("");
  expect({ exit, exits }).toEqual({ exit: 2, exits: `22220${"0".repeat(60)}0` });
  expect(out).toMatch(/\{"deleted":2\}\]\}\n$/);
});

test("a byte order mark, and lines that end with CR LF", async () => {
  const place = Workplace.memory();
  const input = Buffer.from('\ufeffset k x\r\n["get","k"]\r\n\r\nget k # really\r\nset k "a\r"\r\nget k\r\n');
  const { exitCode, stdout } = await place.ended(["batch"], { input });
  const values = [...stdout.toString().matchAll(/"value":("[^"]*")/g)].map(([, value = ""]) =>
    JSON.parse(value),
  );
  expect({ exitCode, values }).toEqual({ exitCode: 0, values: ["x", "x", "a\r"] });
  expect(await place.bash("timmy-bb batch <&-")).toEqual({
    exit: 2,
    out: "",
    err: "timmy-bb: standard input is closed or nothing, so there are no lines\nhint: for none: < /dev/null\n",
  });
});
