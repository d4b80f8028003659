// What the executable is compiled from: the command in one file, in its own form (see src/runtime.ts). After `npm run build`,
// whose bundled packages it takes.
import { readFileSync } from "node:fs";
import { build } from "esbuild";
import { lazyModules } from "./lazy-modules.js";

/** Never part of it: the executable has an SQLite of its own. */
export const DRIVER = "@photostructure/sqlite";

/** Writes it, from the project's directory. */
export async function bundle(outfile) {
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  const define = { TIMMY_BB_VERSION: JSON.stringify(version), TIMMY_BB_STANDALONE: "true" };
  await build({
    entryPoints: ["infrastructure/standalone/timmy-bb.js"],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    define,
    plugins: [lazyModules({ ...define, "import.meta.dirname": "__dirname" })],
    external: [DRIVER],
    logLevel: "warning",
  });
}
