/** What goes into the standalone executable, without the compiler, which is not installed for `npm test`. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../helpers/cli.ts";

/** Below the project, so that Node finds the driver that stays outside. */
const directory = mkdtempSync(join(ROOT, ".build-test-"));
const bundled = join(directory, "bundle.cjs");
const TELLS_LOADED = join(directory, "tell.cjs");

beforeAll(() => {
  writeFileSync(
    TELLS_LOADED,
    'process.on("exit", () => require("fs").writeSync(2, process.moduleLoadList.join("\\n")))',
  );
  const script = `import("./infrastructure/standalone/bundle.js").then(({ bundle }) => bundle(${JSON.stringify(bundled)}))`;
  const { status, stderr } = spawnSync(process.execPath, ["-e", script], { cwd: ROOT, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
});
afterAll(() => rmSync(directory, { recursive: true }));

function run(...words: string[]) {
  const env = { TIMMY_BB_BACKEND: "memory", TIMMY_BB_DATA_DIR: directory };
  const output = openSync(join(directory, "out"), "w+"); // a socket, which Node would make, is written by a stream of the process
  const { status, stderr } = spawnSync(process.execPath, ["-r", TELLS_LOADED, bundled, ...words], {
    cwd: directory,
    env,
    encoding: "utf8",
    stdio: ["ignore", output, "pipe"],
  });
  closeSync(output);
  return { exit: status, out: readFileSync(join(directory, "out"), "utf8"), loaded: stderr };
}

test("it is the command: plain calls, and those that take every package", () => {
  expect(run("set", "k", "v")).toMatchObject({ exit: 0, out: "" });
  expect(run("get", "k")).toMatchObject({ exit: 0, out: "v\n" });
  expect(run("keys", "--long", "--color=always").out).toContain("k");
  expect(run("get", "absent").exit).toBe(1);
  expect(run("get").exit).toBe(2);
});

test("a plain call loads nothing of the network, and nothing of Node's half of the runtime", () => {
  const text = readFileSync(bundled, "utf8");
  expect(text).toContain("Bun.connect");
  expect(text).not.toMatch(/^var \w+ = (__toESM\()?require\("node:/m); // each is loaded where it is used
  const { loaded } = run("get", "k");
  expect(loaded).toMatch(/^NativeModule fs$/m);
  expect(loaded).not.toMatch(/^NativeModule (net|tty|tls|readline)$/m);
});

test("the compiler is pinned: one version, each platform's package with its hash", () => {
  const read = (name: string) => JSON.parse(readFileSync(`${ROOT}infrastructure/standalone/${name}`, "utf8"));
  const { bun } = read("package.json").dependencies as { bun: string };
  expect(bun).toMatch(/^\d+\.\d+\.\d+$/);
  const { "": _, ...packages } = read("package-lock.json").packages as Record<string, Locked>;
  expect(Object.keys(packages)).toContain("node_modules/@oven/bun-linux-x64");
  for (const { version, integrity } of Object.values(packages)) {
    expect([version, integrity]).toEqual([bun, expect.stringMatching(/^sha512-/)]);
  }
});

interface Locked {
  readonly version: string;
  readonly integrity: string;
}
