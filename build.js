// Builds dist/: the command as one bundle with lazily loaded chunks, the library with its packages left outside, and
// the types. Everything is built aside and then put in place, so that a running command never sees half a build.
import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, rmSync } from "node:fs";
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
  await build({
    ...shared,
    entryPoints: ["src/main.ts"],
    minifySyntax: true,
    minifyWhitespace: true,
    chunkNames: "cli/[name]-[hash]",
    external: ["@photostructure/sqlite"],
    banner: {
      js: 'import { createRequire as createRequireOfNode } from "node:module"; const require = createRequireOfNode(import.meta.url);',
    },
  });
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
  execFileSync(process.execPath, types, { stdio: "inherit" });
  rmSync("dist", { recursive: true, force: true });
  renameSync(aside, "dist");
} finally {
  rmSync(aside, { recursive: true, force: true });
}
