/** The rules of DESIGN section 7, held against every import of every source file. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";

const SOURCE = join(import.meta.dirname, "../../src");

interface Import {
  readonly file: string;
  readonly target: string;
}

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".ts"),
);
const imports = files.flatMap((file) => importsOf(file));

/** Static and dynamic imports and re-exports; ours as paths below src, packages by name. */
function importsOf(file: string): Import[] {
  const text = withoutComments(readFileSync(join(SOURCE, file), "utf8"));
  const found = text.matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^\s*import\s+)["']([^"']+)["']/gm);
  return [...found].map(([, name = ""]) => ({
    file,
    target: name.startsWith(".") ? normalize(join(dirname(file), name)) : name,
  }));
}

/** The room of a file, and the rooms each may look into. */
function roomOf(path: string): string {
  const [first = "", second = ""] = path.split("/");
  if (first === "backends") return second === "open.ts" ? "backends/open" : `backends/${second}`;
  return path.includes("/") ? first : path.replace(/\.ts$/, "");
}

const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  config: ["core"],
  runtime: ["quick-socket"],
  "quick-socket": ["runtime"],
  "backends/redis": ["core", "runtime"],
  "backends/memory": ["core"],
  "backends/auto": ["core", "backends/redis", "backends/memory", "backends/open"],
  "backends/open": ["core", "backends/redis", "backends/memory", "backends/auto"],
  blackboard: ["core"],
  host: ["core", "config", "runtime"],
  open: ["core", "config", "backends/open", "blackboard", "host"],
  index: ["core", "blackboard", "open"],
  cli: ["core", "config", "blackboard", "open", "runtime"],
  main: ["core", "config", "blackboard", "open", "host", "cli"],
};

/** Packages, and the one file or room that may import each. */
const CONFINED: Readonly<Record<string, RegExp>> = {
  ioredis: /^backends\/redis\/ioredis-connection\.ts$/,
  "@photostructure/sqlite": /^backends\/memory\/driver\.ts$/,
  "node:sqlite": /^backends\/memory\/driver\.ts$/,
  "node:child_process": /^cli\/spawning\.ts$/,
  commander: /^cli\/parser\.ts$/,
  chalk: /^cli\/style\.ts$/,
  "cli-table3": /^cli\/output\.ts$/,
  yaml: /^config\//,
};

describe("architecture", () => {
  test("there is something to check", () => {
    expect(files.length).toBeGreaterThan(40);
    expect(imports.length).toBeGreaterThan(100);
  });

  test("every file has a room", () => {
    expect(files.filter((file) => MAY_IMPORT[roomOf(file)] === undefined)).toEqual([]);
  });

  test("imports point one way", () => {
    const wrong = imports.filter(({ file, target }) => {
      if (!target.endsWith(".ts") || roomOf(target) === roomOf(file)) return false;
      return !MAY_IMPORT[roomOf(file)]?.includes(roomOf(target));
    });
    expect(wrong).toEqual([]);
  });

  test("each package has its one place, and no other package is used", () => {
    const packages = imports.filter(({ target }) => !target.endsWith(".ts"));
    const wrong = packages.filter(({ file, target }) => {
      const place = CONFINED[target];
      return place === undefined ? !target.startsWith("node:") : !place.test(file);
    });
    expect(wrong).toEqual([]);
  });

  test("process is touched only where streams, surroundings and other processes are", () => {
    const allowed =
      /^(cli\/(io|stdin|handler|foreground|process-tree)\.ts|(host|runtime|quick-socket)\.ts|open\.ts|backends\/memory\/(driver|liveness)\.ts)$/;
    expect(filesWith(/\bprocess\.(?!nextTick|hrtime)/).filter((file) => !allowed.test(file))).toEqual([]);
  });

  test("no command prints, exits, or asks which backend it is on", () => {
    const outside = (file: string) => !file.startsWith("backends/");
    expect(filesWith(/\bconsole\.|\.store === |backend === /).filter(outside)).toEqual([]);
  });

  test("no file is over 250 lines", () => {
    const long = files.filter((file) => readFileSync(join(SOURCE, file), "utf8").split("\n").length > 251);
    expect(long).toEqual([]);
  });
});

function filesWith(pattern: RegExp): string[] {
  return files.filter((file) => pattern.test(withoutComments(readFileSync(join(SOURCE, file), "utf8"))));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
}
