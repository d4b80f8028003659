// Builds dist/: the command as one bundle with lazily loaded chunks, the library with its packages left outside, and
// the types. Everything is built aside and then put in place, so that a running command never sees half a build.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const aside = `.build-${process.pid}`;

const shared = {
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  splitting: true,
  outdir: aside,
  logLevel: "warning",
  define: { TIMMY_BB_VERSION: JSON.stringify(version) },
};

try {
  // The command: every JavaScript package inside, so that a call resolves no node_modules. The SQLite driver stays
  // outside because it finds its prebuilt binary beside itself. CommonJS packages inside ask for `require`.
  const command = await build({
    ...shared,
    metafile: true,
    entryPoints: ["src/main.ts"],
    minifySyntax: true,
    minifyWhitespace: true,
    chunkNames: "cli/[name]-[hash]",
    external: ["@photostructure/sqlite"],
    banner: {
      js: 'import { createRequire as createRequireOfNode } from "node:module"; const require = createRequireOfNode(import.meta.url);',
    },
  });
  writeFileSync(`${aside}/THIRD-PARTY-LICENSES.txt`, licenses(Object.keys(command.metafile.inputs)));
  // The library: packages stay imports, so that a program shares its own copies.
  await build({
    ...shared,
    entryPoints: ["src/index.ts"],
    packages: "external",
    chunkNames: "lib/[name]-[hash]",
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
    rmSync("dist", { recursive: true, force: true });
    renameSync(aside, "dist");
  }
} finally {
  rmSync(aside, { recursive: true, force: true });
}

/** The licences of the packages that went into the bundle: they ask to travel with their code. */
function licenses(inputs) {
  const packages = inputs.flatMap((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []);
  return [...new Set(packages)].sort().map(licenseOf).join("\n");
}

function licenseOf(directory) {
  const { name, version, license } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"));
  const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? `Licence: ${license}` : readFileSync(`${directory}/${file}`, "utf8");
  return `${name} ${version}\n\n${text.trim()}\n`;
}
