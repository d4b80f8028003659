// Builds dist/timmy-bb: the command as one file that needs no Node, by Bun's compiler. After `npm run build`, whose packages it
// takes. The compiler is an npm package with a lockfile of its own (infrastructure/standalone/): it is 107 MB, which a plain `npm ci` of the
// project shall not carry.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { bundle, DRIVER } from "./infrastructure/standalone/bundle.js";

/** Always the same: the compiler writes its name into the program. What an interrupted build has left there goes; so one at a time. */
const aside = ".build-standalone";

try {
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside);
  const compiler = compilerOf(installedCompiler());
  await bundle(`${aside}/bundle.cjs`);
  compile(compiler, []);
  compile(compiler, [`--bytecode-order=${orders().join(",")}`]);
  // As installing it would: in the file as the compiler writes it, the system keeps small pieces, which costs each call 1.5 ms (measured).
  copyFileSync(`${aside}/compiled`, `${aside}/timmy-bb`);
  writeFileSync(`${aside}/licenses.txt`, licenses());
  renameSync(`${aside}/licenses.txt`, "dist/timmy-bb.LICENSES.txt");
  renameSync(`${aside}/timmy-bb`, "dist/timmy-bb");
} finally {
  rmSync(aside, { recursive: true, force: true });
}

/**
 * - A `.env` or `bunfig.toml` in somebody's working directory must not change what the command does.
 * - Machine code for what runs a few times costs more than it spares: the entry point goes back to the normal policy when a call
 *   turns out to be long.
 */
function compile(compiler, more) {
  const settings = [
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--compile-jit-policy=10",
  ];
  const form = ["--compile", "--bytecode", "--format=cjs", "--minify", `--external=${DRIVER}`];
  run(compiler, [
    "build",
    `${aside}/bundle.cjs`,
    ...form,
    ...settings,
    ...more,
    `--outfile=${aside}/compiled`,
  ]);
}

/** What the calls that are made most use of the program, a file each: laid side by side, it is read in fewer pieces (0.4 ms of a call, measured). */
function orders() {
  const directory = `${process.cwd()}/${aside}`;
  const nobody = ["--backend", "redis", "--url", `unix://${directory}/nobody`];
  const calls = [
    { words: ["set", "a", "b", "--backend", "memory"], exit: 0 },
    { words: ["get", "a", "--backend", "memory"], exit: 0 },
    { words: ["get", "a", ...nobody], exit: 4 },
  ];
  return calls.map(({ words, exit }, index) => {
    const order = `${aside}/order-${index}`;
    const env = { HOME: directory, BUN_BYTECODE_ORDER_OUT: order };
    const { status } = spawnSync(`${aside}/compiled`, words, { env, stdio: "ignore" });
    if (status !== exit) throw new Error(`what was compiled exits ${status} for ${words[0]}, not ${exit}`);
    return order;
  });
}

/** Installs it, if it is not there; npm holds it against the lockfile. */
function installedCompiler() {
  const { dependencies } = JSON.parse(readFileSync("infrastructure/standalone/package.json", "utf8"));
  const manifest = "infrastructure/standalone/node_modules/bun/package.json";
  const isThere =
    existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version === dependencies.bun;
  if (!isThere)
    run("npm", [
      "ci",
      "--prefix",
      "infrastructure/standalone",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
    ]);
  return createRequire(`${process.cwd()}/${manifest}`);
}

/** The binary in the one platform's package that npm chose for this machine. */
function compilerOf(require) {
  for (const name of Object.keys(require("./package.json").optionalDependencies)) {
    try {
      return require.resolve(`${name}/bin/bun`);
    } catch {
      // another platform's
    }
  }
  throw new Error(`Bun's compiler is not to be had for ${process.platform} ${process.arch}`);
}

function licenses() {
  return ["infrastructure/standalone/BUN-LICENSES.txt", "dist/THIRD-PARTY-LICENSES.txt"]
    .map((path) => readFileSync(path, "utf8"))
    .join("\n");
}

function run(command, words) {
  const { status, error } = spawnSync(command, words, { stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error(`${command} ${words[0]} failed (${error?.message ?? `exit ${status}`})`);
}
