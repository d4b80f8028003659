/** What V8 has compiled is kept for the next start, where nobody else can put it. */
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { EXECUTABLE, ROOT } from "../helpers/cli.ts";
import { start } from "../helpers/processes.ts";
import { tempDir } from "../helpers/temp.ts";

/** The program as npm installs it: without code that was made where it was built. */
let program = "";

beforeAll(() => {
  const root = tempDir("installed");
  for (const part of ["bin", "dist"])
    cpSync(join(ROOT, part), join(root, part), { recursive: true, filter: isShipped });
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  program = join(root, "bin/timmy-bb.js");
});

function isShipped(path: string): boolean {
  return !path.endsWith("dist/code") && !path.endsWith("dist/types") && !path.endsWith("dist/timmy-bb");
}

class Home {
  readonly dir = tempDir("home");
  readonly cache = join(this.dir, ".cache/timmy-bb");

  async call(...words: string[]): Promise<string> {
    const env = { HOME: this.dir, TIMMY_BB_BACKEND: "memory" };
    const { exitCode, stdout, stderr } = await start(process.execPath, [program, ...words], {
      env,
      cwd: this.dir,
    }).ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    return stdout.toString();
  }

  files(): string[] {
    return readdirSync(this.cache).map((name) => join(this.cache, name));
  }

  /** When each was written; a file that is written anew is another file. */
  state(): string[] {
    return this.files().map((path) => `${path} ${statSync(path).ino}`);
  }
}

// The executable carries its bytecode in itself and keeps none.
describe.skipIf(EXECUTABLE !== null)("compiled code", () => {
  test("the first call of a kind keeps it, the second leaves it alone; nobody else can write there", async () => {
    const home = new Home();
    await home.call("set", "k", "v");
    expect(home.files()).toHaveLength(1);
    await home.call("get", "k");
    const state = home.state();
    expect(await home.call("get", "k")).toBe("v\n");
    await home.call("set", "k", "w");
    expect(home.state()).toEqual(state);
    expect(statSync(home.cache).mode & 0o777).toBe(0o700);
    expect(home.files().map((path) => statSync(path).mode & 0o777)).toEqual([0o600]);
  });

  test.each<[string, (home: Home) => void]>([
    ["a directory that others can write to", (home) => chmodSync(home.cache, 0o777)],
    ["a file that others can write to", (home) => home.files().map((path) => chmodSync(path, 0o666))],
  ])("%s is not trusted", async (_, open) => {
    const home = new Home();
    await home.call("keys");
    for (const path of home.files()) poison(path);
    open(home);
    expect(await home.call("keys")).toBe("");
  });

  test("a directory that is a link is not used", async () => {
    const home = new Home();
    const elsewhere = tempDir("elsewhere");
    mkdirSync(join(home.dir, ".cache"));
    symlinkSync(elsewhere, home.cache);
    await home.call("keys");
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  test("what V8 cannot use is made anew", async () => {
    const home = new Home();
    await home.call("keys");
    const [path = ""] = home.files();
    const size = statSync(path).size;
    writeFileSync(path, readFileSync(path).subarray(0, size / 2));
    expect(await home.call("keys")).toBe("");
    expect(statSync(path).size).toBeGreaterThan(size * 0.9);
  });

  test("a part that a disk has lost is noticed, and made anew", async () => {
    const home = new Home();
    await home.call("keys");
    const [path = ""] = home.files();
    const whole = readFileSync(path);
    writeFileSync(path, Buffer.from(whole).fill(0, 100_000, 104_096));
    expect(await home.call("keys")).toBe("");
    expect(await home.call("keys")).toBe("");
    expect(readFileSync(path).subarray(100_000, 104_096).equals(Buffer.alloc(4096))).toBe(false);
  });

  test("a pipe in its place does not hold up the call", async () => {
    const home = new Home();
    await home.call("keys");
    const [path = ""] = home.files();
    rmSync(path);
    await start("mkfifo", ["-m", "600", path], { env: { PATH: process.env.PATH ?? "" }, cwd: home.dir })
      .ended;
    expect(await home.call("keys")).toBe("");
  });

  test("in a directory that another user could exchange nothing is kept, and nothing is made in another's home", async () => {
    const open = new Home();
    mkdirSync(join(open.dir, ".cache"));
    chmodSync(join(open.dir, ".cache"), 0o777);
    await open.call("keys");
    expect(readdirSync(join(open.dir, ".cache"))).toEqual([]);
    const other = new Home();
    if (process.getuid?.() === 0) chownSync(other.dir, 65_534, 65_534);
    else chmodSync(other.dir, 0o777);
    const { exitCode } = await start(process.execPath, [program, "keys"], {
      env: { HOME: other.dir, TIMMY_BB_BACKEND: "memory", TIMMY_BB_DATA_DIR: open.dir },
      cwd: open.dir,
    }).ended;
    expect(exitCode).toBe(0);
    expect(readdirSync(other.dir)).toEqual([]);
  });

  test("twenty first calls at once", async () => {
    const home = new Home();
    await Promise.all(Array.from({ length: 20 }, (_, index) => home.call("set", `k${index}`, "v")));
    expect((await home.call("keys")).split("\n")).toHaveLength(21);
    expect(home.files().filter((path) => basename(path).startsWith("."))).toEqual([]);
  });

  test("without a place to keep it the program works as well", async () => {
    const dir = tempDir("nowhere");
    const env = { TIMMY_BB_BACKEND: "memory", TIMMY_BB_DATA_DIR: dir, HOME: "/proc/nowhere" };
    const ended = await start(process.execPath, [program, "set", "k", "v"], { env, cwd: dir }).ended;
    expect({ exit: ended.exitCode, err: ended.stderr }).toEqual({ exit: 0, err: "" });
  });
});

/** So that the sum in the head does not tell, and V8, which does not look at what it is given, would crash. */
function poison(path: string): void {
  const bytes = readFileSync(path);
  for (let at = 2048 + 100_000; at + 512 <= bytes.length; at += 512) {
    const part = at - ((at - 2048) % 512);
    bytes.fill(0xff, part + 4, part + 512);
  }
  writeFileSync(path, bytes);
}
