// Builds dist/: the command as one bundle with lazily loaded chunks, the library with its packages left outside.
import { rm } from "node:fs/promises";
import { build } from "esbuild";

const shared = {
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  outdir: "dist",
  logLevel: "warning",
  legalComments: "none",
};

await rm("dist", { recursive: true, force: true });

// The command: every JavaScript package inside, so that a call resolves no node_modules. The SQLite driver stays
// outside because it finds its prebuilt binary beside itself. CommonJS packages inside ask for `require`.
await build({
  ...shared,
  entryPoints: ["src/main.ts"],
  splitting: true,
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
  splitting: true,
  packages: "external",
  chunkNames: "lib/[name]-[hash]",
});
