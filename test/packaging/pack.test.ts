/** The tarball as a stranger gets it: packed, installed without scripts into an empty project, and used from there. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../helpers/cli.ts";
import { killProcesses, start } from "../helpers/processes.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { filesIn, removeTempDirs, tempDir } from "../helpers/temp.ts";
import { done, type Said, said } from "../helpers/workplace.ts";

const NPM_MS = 120_000;
const PACK = ["--json", "--ignore-scripts", "--silent"];
/** 400 kB now. A dependency or a test that slips in is larger than what is left. */
const MAX_TARBALL_BYTES = 800_000;

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly files: ReadonlyArray<{ readonly path: string; readonly mode: number }>;
}

let packed: Packed;
let project: string;
let server: RedisServer;

/** Runs a program in the project, npm's own settings aside. */
async function run(file: string, args: readonly string[], more: Record<string, string> = {}): Promise<Said> {
  const cwd = project;
  const env = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", ...more };
  return said(await start(file, args, { env, cwd, timeoutMs: NPM_MS }).ended);
}

async function succeed(file: string, args: readonly string[]): Promise<string> {
  const { exit, out, err } = await run(file, args);
  if (exit === 0) return out;
  throw new Error(`${file} ${args.join(" ")} exited ${exit}:\n${err}${out}`);
}

beforeAll(async () => {
  project = tempDir("project");
  server = await RedisServer.start();
  writeFileSync(
    join(project, "package.json"),
    '{"name":"stranger","version":"1.0.0","private":true,"type":"module"}',
  );
  packed = onlyPackage(JSON.parse(await withSecret(() => succeed("npm", ["pack", ROOT, ...PACK]))));
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  await succeed("npm", ["install", ...quiet, `./${packed.filename}`]);
}, 2 * NPM_MS);

afterAll(async () => {
  killProcesses();
  await server.stop();
  removeTempDirs();
});

/** Packs while a password lies where the README of the infrastructure has people put it. */
async function withSecret<Result>(work: () => Promise<Result>): Promise<Result> {
  const path = join(ROOT, "infrastructure/redis/.env");
  if (existsSync(path)) return work(); // somebody's own: as good, and not ours to touch
  writeFileSync(path, "TIMMY_BB_REDIS_PASSWORD=planted\n");
  try {
    return await work();
  } finally {
    rmSync(path);
  }
}

/** npm up to 11 gives a list, npm 12 an object by package name. */
function onlyPackage(answer: Packed[] | Record<string, Packed>): Packed {
  const [found] = Object.values(answer);
  if (found === undefined) throw new Error("npm pack names no package");
  return found;
}

describe("the tarball", () => {
  const paths = () => packed.files.map(({ path }) => path);

  test("holds what is needed", () => {
    for (const path of [
      "bin/timmy-bb.js",
      "bin/package.json",
      "dist/timmy-bb.cjs",
      "dist/ioredis.cjs",
      "dist/index.js",
      "dist/types/index.d.ts",
      "package.json",
    ])
      expect(paths()).toContain(path);
    for (const path of ["README.md", "LICENSE", "CHANGELOG.md", "config.yaml"])
      expect(paths()).toContain(path);
    expect(packed.files.find(({ path }) => path === "bin/timmy-bb.js")?.mode).toBe(0o755);
  });

  test("holds no tests, sources, dependencies, secrets or build leftovers", () => {
    const stray =
      /^(test|src|bench|node_modules|\.)|\.env(\.|$)|\.tgz$|\.db$|\.key$|\.pem$|\.npmrc|\.build-|^dist\/(code|timmy-bb)(\/|$)/;
    const example = "infrastructure/redis/.env.example";
    expect(paths().filter((path) => stray.test(path) && path !== example)).toEqual([]);
  });

  test("is small", () => {
    expect(packed.size).toBeLessThan(MAX_TARBALL_BYTES);
    expect(packed.size).toBe(statSync(join(project, packed.filename)).size);
  });

  test("names no place of the machine that built it", () => {
    const root = installed();
    const files = filesIn(root).filter((path) => /\.(c?js|json|ts|md|yaml|yml|conf)$/.test(path));
    expect(files.length).toBeGreaterThan(30);
    const telling = files.filter((path) =>
      readFileSync(join(root, path), "utf8").includes(ROOT.slice(0, -1)),
    );
    expect(telling).toEqual([]);
  });

  test("has no script that npm would run on installation", () => {
    const { scripts = {} } = JSON.parse(readFileSync(join(installed(), "package.json"), "utf8"));
    const automatic = [
      "preinstall",
      "install",
      "postinstall",
      "prepublish",
      "preprepare",
      "prepare",
      "postprepare",
    ];
    expect(Object.keys(scripts).filter((name) => automatic.includes(name))).toEqual([]);
    expect(readdirSync(installed())).not.toContain("binding.gyp"); // npm would build it
  });
});

function installed(): string {
  return join(project, "node_modules/timmy-bb");
}

const STORES: ReadonlyArray<readonly [string, () => Record<string, string>]> = [
  ["memory", () => ({ TIMMY_BB_BACKEND: "memory", TIMMY_BB_DATA_DIR: join(project, "data") })],
  ["redis", () => ({ TIMMY_BB_BACKEND: "redis", TIMMY_BB_URL: server.url })],
];

describe.each(STORES)("installed, on %s", (_name, env) => {
  const command = (...args: string[]) => run(join(project, "node_modules/.bin/timmy-bb"), args, env());

  test("the command", async () => {
    expect(await command("set", "k", "v")).toEqual(done());
    expect(await command("get", "k")).toEqual(done("v\n"));
    expect(await command("keys")).toEqual(done("k\n"));
    expect(await command("keys", "--long", "--json")).toEqual(done(expect.stringMatching(/^\{"key":"k",/)));
    expect(await command("publish", "c", "m")).toEqual(done("0\n"));
    expect(await command("status", "--color", "always")).toEqual(done(expect.stringMatching(/^store\t/)));
    expect((await command("help")).exit).toBe(0);
    expect(await command("clear", "--yes")).toEqual(done("1\n"));
  });

  test("the library, from JavaScript", async () => {
    writeFileSync(
      join(project, "use.js"),
      `import { BlackboardError, getBlackboard } from "timmy-bb";
       import manifest from "timmy-bb/package.json" with { type: "json" };
       const board = await getBlackboard();
       const jobs = board.subscribe("jobs");
       await jobs.ready;
       await board.set("plan", { b: 1, a: 2 });
       await board.publish("jobs", await board.getText("plan"));
       for await (const { payload } of jobs) { console.log(payload.toString()); break; }
       const error = await board.incr("plan").catch((error) => error);
       console.log(error instanceof BlackboardError, error.kind, manifest.name);
       await board.close();`,
    );
    const { exit, out, err } = await run(process.execPath, ["--no-warnings", "use.js"], env());
    expect({ exit, out, err }).toEqual({ exit: 0, out: '{"a":2,"b":1}\ntrue conflict timmy-bb\n', err: "" });
  });
});

describe("from TypeScript", () => {
  const CONSUMER = `import { Blackboard, BlackboardError, type ErrorKind, type Message, openBlackboard, type OpenOptions } from "timmy-bb";
const options: OpenOptions = { backend: "memory", prefix: "p", ttlSeconds: null };
const board: Blackboard = await openBlackboard(options);
const text: string | null = await board.getText("k");
const bytes: Uint8Array | null = await board.get("k");
const result = await board.set("k", { a: 1 }, { ttlMs: 1000, if: "absent" });
const told: string | null = result.written ? result.id : result.by;
for await (const key of board.keys("*")) key.toUpperCase();
await board.subscribe("c", (message: Message) => message.payload.toString());
for await (const { payload, by } of board.subscribe(["c"], { signal: AbortSignal.timeout(1) })) console.log(payload.length, by);
const sum: number | bigint = await board.incr("n", 2n);
const kind = (error: unknown): ErrorKind | null => (error instanceof BlackboardError ? error.kind : null);
console.log(text, bytes, told, sum, kind(null));
await board.close();
`;

  async function compile(name: string, code: string): Promise<Said> {
    writeFileSync(join(project, name), code);
    const flags = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"];
    const node = ["--target", "es2023", "--module", "nodenext", "--types", "node"];
    const lib = ["--lib", "es2023,esnext.disposable"];
    return run(process.execPath, [
      join(ROOT, "node_modules/typescript/bin/tsc"),
      ...flags,
      ...node,
      ...lib,
      name,
    ]);
  }

  beforeAll(() => {
    // A program for Node has these types; nothing else of this repository is within its reach.
    symlinkSync(join(ROOT, "node_modules/@types"), join(project, "node_modules/@types"));
  });

  test("a strict program compiles against the types that travel, checked themselves too", async () => {
    expect(await compile("consumer.ts", CONSUMER)).toEqual(done());
  });

  test.each([
    [
      "a wrong option",
      `import { openBlackboard } from "timmy-bb"; await openBlackboard({ bakend: "memory" });`,
    ],
    [
      "a wrong backend",
      `import { openBlackboard } from "timmy-bb"; await openBlackboard({ backend: "postgres" });`,
    ],
    [
      "null taken for text",
      `import { getBlackboard } from "timmy-bb"; (await (await getBlackboard()).getText("k")).length;`,
    ],
  ])("%s does not", async (what, code) => {
    const { exit, out } = await compile(`${what.replaceAll(" ", "-")}.ts`, code);
    expect(exit).not.toBe(0);
    expect(out).toMatch(/error TS/);
  });
});
