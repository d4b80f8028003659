// Builds dist/: the command as one file whose modules run when they are first used, the library with its packages left outside, and
// the types. Everything is built aside and then put in place, so that a running command never sees half a build.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { lazyModules } from "./infrastructure/standalone/lazy-modules.js";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const aside = `.build-${process.pid}`;

const shared = { bundle: true, platform: "node", target: "node20.19", logLevel: "warning", metafile: true };

/** The command: CommonJS in one file, so that a call loads one, and V8's compiled form of it is one (see bin/timmy-bb.js). */
const command = {
  ...shared,
  format: "cjs",
  minify: true, // names, too: each call reads all of it (1 ms of 23, measured)
  supported: { "dynamic-import": false },
  external: ["@photostructure/sqlite"], // finds its prebuilt binary beside itself
};
const define = { TIMMY_BB_VERSION: JSON.stringify(version), TIMMY_BB_STANDALONE: "false" };

/** Packages that most calls do not need: a file each, which is loaded when it is asked for. */
const PACKAGES = ["chalk", "cli-table3", "commander", "ioredis", "yaml"];
const apart = {
  name: "packages apart",
  setup({ onResolve }) {
    const filter = new RegExp(`^(${PACKAGES.join("|")})$`);
    onResolve({ filter }, ({ path }) => ({ path: `./${path}.cjs`, external: true }));
  },
};

const CALLS = [
  "set a b",
  "get a",
  "publish c m",
  "set a b --ttl 5m --if-present",
  "exists a",
  "keys",
  "keys --long",
  "ttl a",
].concat([
  "expire a 5m",
  "persist a",
  "incr n",
  "del n",
  "history a",
  "channels",
  "status",
  "take a",
  "clear --json",
  "lock run l -- true",
]);

try {
  const builds = [
    build({
      ...command,
      entryPoints: ["./src/main.ts"],
      outfile: `${aside}/timmy-bb.cjs`,
      plugins: [
        apart,
        lazyModules({ ...define, TIMMY_BB_COMMAND: "true", "import.meta.dirname": "__dirname" }),
      ],
    }),
  ];
  for (const name of PACKAGES)
    builds.push(build({ ...command, entryPoints: [name], outfile: `${aside}/${name}.cjs` }));
  const inputs = (await Promise.all(builds)).flatMap(({ metafile }) => Object.keys(metafile.inputs));
  for (const name of readdirSync(aside)) sign(`${aside}/${name}`);
  writeFileSync(`${aside}/THIRD-PARTY-LICENSES.txt`, licenses(inputs));
  // The library: packages stay imports, so that a program shares its own copies.
  await build({
    ...shared,
    format: "esm",
    splitting: true,
    entryPoints: ["src/index.ts"],
    outdir: aside,
    packages: "external",
    chunkNames: "lib/[name]-[hash]",
    define,
  });
  const types = [
    "node_modules/typescript/bin/tsc",
    "-p",
    "tsconfig.build.json",
    "--outDir",
    `${aside}/types`,
  ];
  process.exitCode = spawnSync(process.execPath, types, { stdio: "inherit" }).status ?? 1;
  if (process.exitCode === 0) {
    if (existsSync("dist")) renameSync("dist", `${aside}-old`);
    renameSync(aside, "dist");
    compileCode();
  }
} finally {
  for (const path of [aside, `${aside}-old`]) rmSync(path, { recursive: true, force: true });
}

/**
 * What V8 compiles for the calls that are made most, for this Node: so that a checkout, and the tests, need no first calls. An
 * installed package comes without it and makes its own, in the user's cache directory.
 */
function compileCode() {
  const home = mkdtempSync(join(process.cwd(), ".build-"));
  const env = { PATH: process.env.PATH, HOME: home };
  try {
    for (const call of CALLS)
      spawnSync(process.execPath, ["bin/timmy-bb.js", "--backend", "memory", ...call.split(" ")], { env });
    renameSync(join(home, ".cache/timmy-bb"), "dist/code");
  } finally {
    rmSync(home, { recursive: true });
  }
  chmodSync("dist/code", 0o755);
  for (const name of readdirSync("dist/code")) chmodSync(`dist/code/${name}`, 0o644);
}

/** A digest of the text in its first line: bin/timmy-bb.js keeps compiled code under this name. */
function sign(path) {
  const text = readFileSync(path, "latin1");
  writeFileSync(
    path,
    `// ${createHash("sha256").update(text).digest("hex").slice(0, 16)}\n${text}`,
    "latin1",
  );
}

/** The licences of the packages that went into the bundle: they ask to travel with their code. */
function licenses(inputs) {
  const packages = inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []);
  if (packages.length === 0)
    throw new Error("no package was found among what was bundled, so no licence either");
  return [...new Set(packages)].sort().map(licenseOf).join("\n");
}

function licenseOf(directory) {
  const { name, version, license } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"));
  const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? `Licence: ${license}` : readFileSync(`${directory}/${file}`, "utf8");
  return `${name} ${version}\n\n${text.trim()}\n`;
}
