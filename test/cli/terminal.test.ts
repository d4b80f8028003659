/** On a terminal: tables, colour, the question before `clear`, and stored text that must not reach it unescaped. */
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { onTerminal, Terminal } from "../helpers/pty.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { done, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

const PLAIN = { NO_COLOR: "1" };
/** A window title, a colour, CSI as one C1 character, DEL, carriage return, a bidirectional override. */
const NASTY = "\u001b]0;owned\u0007\u001b[31mred\u009b2J\u007fdel\rback\u202eover";
const SHOWN = "^[]0;owned^G^[[31mred\\u009b2J^?del^Mback\\u202eover";

/** What a terminal would obey. Line breaks and TABs are layout. */
function controlsIn(screen: string): string[] {
  return screen.match(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/gu) ?? [];
}

describe.concurrent("tables", () => {
  const TABLES: ReadonlyArray<readonly [string, string[]]> = [
    ["keys --long", ["KEY", "TTL", "BYTES", "BY", "AGE"]],
    ["channels", ["CHANNEL", "MESSAGES", "FOLLOWERS", "LAST"]],
    ["status", ["WHAT", "VALUE", "FROM"]],
  ];

  test.each(TABLES)("%s: aligned, with heads, the same cells as in a pipe", async (command, heads) => {
    const place = Workplace.memory({ TIMMY_BB_AGENT: "ada" });
    await place.bash(
      "timmy-bb set short 1 --no-ttl; timmy-bb set a-much-longer-name 22 --ttl 2d; timmy-bb publish jobs x",
    );
    const { exit, screen } = await onTerminal(place, `timmy-bb ${command}`, PLAIN);
    const [head = "", ...lines] = screen.trimEnd().split("\n");
    expect({ exit, heads: head.split(/ +/), controls: controlsIn(screen) }).toEqual({
      exit: 0,
      heads,
      controls: [],
    });
    const piped = (await place.ask(...command.split(" "))).trimEnd().split("\n");
    expect(piped.length).toBe(lines.length);
    const starts = heads.map((one) => head.search(new RegExp(`\\b${one}\\b`)));
    const cells = (line: string) => starts.map((start, at) => line.slice(start, starts[at + 1]).trimEnd());
    expect(lines.map(cells).map(steady)).toEqual(piped.map((line) => steady(line.split("\t"))));
  });

  test("nothing found: no heads over nothing", async () => {
    expect(await onTerminal(Workplace.memory(), "timmy-bb keys --long")).toEqual({ exit: 0, screen: "" });
  });

  test("--json is the same on a terminal", async () => {
    const place = Workplace.memory();
    await place.ask("set", "k", NASTY, "--no-ttl");
    const { screen } = await onTerminal(place, "timmy-bb get k --json");
    expect(screen).toBe(await place.ask("get", "k", "--json"));
    expect(JSON.parse(screen)).toMatchObject({ key: "k", value: NASTY });
  });

  test("help fits a terminal that does not know its width", async () => {
    const { screen } = await onTerminal(Workplace.memory(), "stty cols 0; timmy-bb get --help");
    const width = Math.max(...screen.split("\n").map((line) => line.length));
    expect(width).toBeGreaterThan(60);
    expect(width).toBeLessThanOrEqual(100);
  });
});

/** Ages, latencies and sizes of files change from one call to the next. */
function steady(cells: readonly string[]): string[] {
  const isMeasured = /^memory\.(latency|file_bytes|wal_bytes)$/.test(cells[0] ?? "");
  return cells.map((cell, at) => {
    if (isMeasured && at === 1) return "measured";
    return /^\d+(\.\d+)?(ms|s|m|h|d)(\d+[smh])?$/.test(cell) ? "duration" : cell;
  });
}

describe.concurrent("stored text is shown, not obeyed", () => {
  test("get, and --raw", async () => {
    const place = Workplace.memory();
    await place.ask("set", "k", NASTY);
    const { screen } = await onTerminal(place, "timmy-bb get k");
    expect(screen).toBe(`${SHOWN}\n`);
    const raw = await onTerminal(place, "timmy-bb get k --raw");
    expect(raw.screen).toBe(NASTY);
    expect(await place.run(["get", "k"])).toEqual(done(`${NASTY}\n`));
    const fallback = await onTerminal(place, "timmy-bb get none --default \"$(printf '\\033[2J')\"");
    expect(fallback.screen).toBe("^[[2J\n");
  });

  test("bytes that are not UTF-8", async () => {
    const place = Workplace.memory();
    await place.ended(["set", "k"], { input: Buffer.from([0x9b, 0x32, 0x4a, 0xff, 0x1b]) });
    const { screen } = await onTerminal(place, "timmy-bb get k");
    expect(screen).toBe("\ufffd2J\ufffd^[\n");
  });

  test.each([
    ["one channel", "c", `${SHOWN}\n`],
    ["a pattern", "c*", `c\t${SHOWN.replace("^M", "\\r")}\n`],
  ])("subscribe: %s", async (_what, selection, shown) => {
    const place = Workplace.memory();
    await using board = await place.openBoard();
    const terminal = new Terminal(place, `timmy-bb subscribe '${selection}'`);
    await until("the follower", async () => (await board.publish("c", NASTY)).receivers > 0, 20_000);
    expect(await terminal.end()).toEqual({ exit: 0, screen: shown });
  });

  test("names of foreign keys and channels, and what a message from one says", async () => {
    const place = Workplace.redis(server);
    const name = `${place.prefix}:${NASTY}\nsecond\tline`;
    await server.cli("set", name, "x");
    const keys = await onTerminal(place, "timmy-bb keys; timmy-bb keys --long", PLAIN);
    expect(keys.exit).toBe(0);
    expect(controlsIn(keys.screen)).toEqual([]);
    expect(keys.screen.split("\n")).toHaveLength(4);
    const terminal = new Terminal(place, "timmy-bb subscribe '*'");
    await until("the follower", async () => Number(await server.cli("publish", name, NASTY)) > 0, 20_000);
    const { screen } = await terminal.end();
    expect(controlsIn(screen)).toEqual([]);
    expect(screen).toContain("owned");
    expect(screen.split("\n")).toHaveLength(2);
  });

  test("a pipe gets a name's line breaks as \\n, and -0 its very bytes", async () => {
    const place = Workplace.redis(server);
    await server.cli("set", `${place.prefix}:two\nlines`, "x");
    expect(await place.run(["keys"])).toEqual(done("two\\nlines\n"));
    expect(await place.run(["keys", "-0"])).toEqual(done("two\nlines\0"));
  });

  test("authors that another client forged", async () => {
    const place = Workplace.redis(server);
    await place.ask("set", "k", "v", "--agent", "mallory");
    const own = (await server.cli("keys", `timmy-bb:{${place.prefix}}:*`)).split("\n");
    for (const key of own) await forge(key);
    const { screen, exit } = await onTerminal(
      place,
      "timmy-bb keys --long; timmy-bb set k w --if-absent",
      PLAIN,
    );
    expect(exit).toBe(5);
    expect(screen).toContain("owned");
    expect(controlsIn(screen)).toEqual([]);
  });

  test("errors and notices", async () => {
    const place = Workplace.memory();
    const nasty = "\"$(printf '\\033]0;owned\\007\\302\\2332J')\"";
    for (const command of [
      `set ${nasty} v`,
      `set k --file ${nasty}`,
      `set k v --ttl ${nasty}`,
      `${nasty}`,
      `get k --${nasty}`,
      `get k --config ${nasty}`,
      `get k --agent ${nasty}`,
      `get k --backend ${nasty}`,
      `get k --url ${nasty}`,
      `get k --url redis://${nasty}`,
      `get k --prefix ${nasty}`,
    ]) {
      const { exit, screen } = await onTerminal(place, `timmy-bb ${command}`, PLAIN);
      expect({ command, exit, controls: controlsIn(screen) }).toEqual({ command, exit: 2, controls: [] });
    }
    const notice = await onTerminal(place, "export TIMMY_BB_N=x; timmy-bb keys", {
      ...PLAIN,
      TIMMY_BB_BACKEND: "auto",
      TIMMY_BB_URL: "redis://127.0.0.1:1",
      TIMMY_BB_DATA_DIR: `${place.dir}/\u001b[31mdir`,
    });
    expect(notice.screen).toContain("^[[31mdir");
    expect(controlsIn(notice.screen)).toEqual([]);
  });
});

/** Puts escapes where our scripts keep authors: whatever hash field or string holds the name. */
async function forge(key: string): Promise<void> {
  if ((await server.cli("type", key)) !== "hash") return;
  const fields = (await server.cli("hkeys", key)).split("\n");
  for (const field of fields) {
    const value = await server.cli("hget", key, field);
    if (value.includes("mallory")) await server.cli("hset", key, field, value.replace("mallory", NASTY));
  }
}

describe.concurrent("colour", () => {
  const ESC = "\u001b[";
  const ROWS: ReadonlyArray<readonly [string, string, Readonly<Record<string, string>>, boolean]> = [
    ["a terminal has it", "", {}, true],
    ["NO_COLOR forbids", "", { NO_COLOR: "1" }, false],
    ["an empty NO_COLOR does not", "", { NO_COLOR: "" }, true],
    ["TERM=dumb forbids", "", { TERM: "dumb" }, false],
    ["--color never forbids", "--color never", {}, false],
    ["--color=never beats FORCE_COLOR", "--color=never", { FORCE_COLOR: "1" }, false],
    ["--color always beats NO_COLOR", "--color always", { NO_COLOR: "1" }, true],
    ["FORCE_COLOR=0 forbids", "", { FORCE_COLOR: "0" }, false],
  ];

  test.each(ROWS)("%s", async (_what, flag, env, colored) => {
    const place = Workplace.memory();
    await place.ask("set", "k", "v");
    const table = await onTerminal(place, `timmy-bb keys --long ${flag}`, env);
    expect(table.screen.includes(ESC)).toBe(colored);
    const heads = table.screen.split("\n")[0]?.replaceAll(/\u001b\[\d*m/g, "");
    expect(heads?.split(/ +/)).toEqual(["KEY", "TTL", "BYTES", "BY", "AGE"]);
    const error = await onTerminal(place, `timmy-bb get '' ${flag}`, env);
    expect(error.screen.includes(ESC)).toBe(colored);
  });

  test("a pipe has none, unless asked", async () => {
    const place = Workplace.memory();
    const error = "timmy-bb: the key is empty\nhint: is a variable unset?\n";
    expect((await place.run(["get", ""])).err).toBe(error);
    expect((await place.run(["get", ""], { env: { FORCE_COLOR: "1" } })).err).toContain(ESC);
    expect((await place.run(["get", "", "--color=always"])).err).toContain(ESC);
    expect((await place.run(["get", "", "--color", "never"], { env: { FORCE_COLOR: "1" } })).err).toBe(error);
  });

  test("data in a pipe is the same with colour forced", async () => {
    const place = Workplace.memory();
    await place.ask("set", "k", "v", "--no-ttl");
    const forced = await place.run(["keys", "--long", "--color=always"]);
    expect(forced.out).toMatch(/^k\t-\t1\t.+\t\d+m?s\n$/);
    expect(await place.run(["get", "k", "--color=always"])).toEqual(done("v\n"));
  });

  test("any other word is refused", async () => {
    expect(await Workplace.memory().run(["keys", "--color", "purple"])).toEqual({
      exit: 2,
      out: "",
      err: "timmy-bb: --color: must be auto, always or never\n",
    });
  });
});

describe.concurrent("clear asks", () => {
  const QUESTION = "delete 2 keys of prefix timmy? [y/N]";
  const ANSWERS: ReadonlyArray<readonly [string, string, number, boolean]> = [
    ["y", "y\r", 0, true],
    ["Yes", "Yes\r", 0, true],
    ["n", "n\r", 2, false],
    ["Enter", "\r", 2, false],
    ["something else", "yellow\r", 2, false],
    ["Ctrl-D", "\x04", 2, false],
    ["Ctrl-C", "\x03", 130, false],
  ];

  test.each(ANSWERS)("on a terminal: %s", async (_what, keys, exit, deleted) => {
    const place = await withTwoKeys();
    const terminal = new Terminal(place, "timmy-bb clear", PLAIN);
    await terminal.type(keys, QUESTION);
    const ended = await terminal.end();
    expect(ended.exit).toBe(exit);
    expect(await place.run(["keys"])).toEqual(done(deleted ? "" : "a\nb\n"));
    if (deleted) expect(ended.screen.endsWith("\n2\n")).toBe(true);
    if (exit === 2) expect(ended.screen).toContain("not confirmed, so nothing was deleted");
  });

  test("not with --yes, not with --dry-run, not without a terminal, not for nothing", async () => {
    const place = await withTwoKeys();
    expect(await onTerminal(place, "timmy-bb clear 'none*'")).toEqual({ exit: 0, screen: "0\n" });
    expect(await onTerminal(place, "timmy-bb clear --dry-run")).toEqual({ exit: 0, screen: "2\n" });
    expect(await onTerminal(place, "timmy-bb clear a --yes")).toEqual({ exit: 0, screen: "1\n" });
    expect(await place.run(["clear", "b"])).toEqual(done("1\n"));
  });

  test("an empty prefix needs --yes without a terminal, and is named on one", async () => {
    const place = Workplace.memory({ TIMMY_BB_PREFIX: "" });
    const global = ["--prefix", ""];
    await place.ask("set", "k", "v", ...global);
    const { exit, out, err } = await place.run(["clear", ...global]);
    expect({ exit, out }).toEqual({ exit: 2, out: "" });
    expect(err).toBe(
      "timmy-bb: the prefix is empty, so this would clear the whole database\nhint: --yes if that is meant\n",
    );
    const terminal = new Terminal(place, "timmy-bb clear --prefix ''", PLAIN);
    await terminal.type("n\r", "delete 1 keys of the whole database? [y/N]");
    expect((await terminal.end()).exit).toBe(2);
    expect(await place.run(["clear", "--yes", ...global])).toEqual(done("1\n"));
  });
});

async function withTwoKeys(): Promise<Workplace> {
  const place = Workplace.memory();
  await using board = await place.openBoard();
  await board.set("a", "1");
  await board.set("b", "2");
  return place;
}

test("JSON carries no control character to the terminal, and means the same", async () => {
  const place = Workplace.memory();
  const value = "a\u001b[31m\u009b31m\u007f\u202eb";
  await place.ask("set", "k", value);
  const { screen } = await onTerminal(place, "timmy-bb get k --json");
  expect(screen).toMatch(/^[\x20-\x7e]+\n$/);
  expect(JSON.parse(screen)).toMatchObject({ key: "k", value });
});

test("clear does not go ahead because its question cannot be seen", async () => {
  const place = Workplace.memory();
  await place.ask("set", "k", "v");
  expect((await onTerminal(place, "timmy-bb clear 2>/dev/null")).exit).toBe(2);
  expect(await place.ask("get", "k")).toBe("v\n");
});
