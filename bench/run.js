// `npm run bench` runs every script here, `npm run bench -- NAME…` some. Each prints ratios, side by side with its peers;
// with --save it keeps them in results/, for `npm run bench:docs`.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const SCRIPTS = [
  ...["call", "startup", "standalone", "shell", "bulk", "scale", "among"],
  ...["messages", "watch", "lock", "work", "replay", "rss"],
];

/** What is kept is of the sizes that docs/performance.md speaks of. */
const SIZES = ["KEYS", "LINES", "MESSAGES", "SETS"];

const words = process.argv.slice(2);
const asked = words.filter((word) => word !== "--save");
const unknown = asked.filter((name) => !SCRIPTS.includes(name));
if (unknown.length > 0) {
  console.error(`no such bench: ${unknown.join(", ")}; there are: ${SCRIPTS.join(", ")}`);
  process.exit(2);
}

const changed = SIZES.filter((name) => words.includes("--save") && process.env[name] !== undefined);
if (changed.length > 0) {
  console.error(`--save keeps results of the usual sizes: unset ${changed.join(", ")}`);
  process.exit(2);
}

const failed = (asked.length > 0 ? asked : SCRIPTS).filter((name) => !runs(name));
if (failed.length > 0) console.error(`failed: ${failed.join(", ")}`);
process.exitCode = failed.length > 0 ? 1 : 0;

/** Each in a process of its own, so that none finds what another one has left. */
function runs(name) {
  const start = performance.now();
  const env = { ...environment(), ...(words.includes("--save") && { SAVE: "1" }) };
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.js`)], {
    env,
    stdio: "inherit",
  });
  console.log(`\n(${name}: ${((performance.now() - start) / 1000).toFixed(0)} s)`);
  return status === 0;
}

/** The user's own settings would change what is measured; the certificates cost Node 20 some 60 ms a start. */
function environment() {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("TIMMY_BB_")));
}
