// What each package costs a process that loads it, beside an empty node script, in one run.
//   npm run bench -- startup
import { printTable, timeInTurn } from "./measure.js";

const ROUNDS = Number(process.env.ROUNDS ?? 15);
const PACKAGES = ["commander", "yaml", "chalk", "cli-table3", "ioredis", "@photostructure/sqlite"];

const load = (name) => ({
  name,
  command: process.execPath,
  args: ["--input-type=module", "-e", `import ${JSON.stringify(import.meta.resolve(name))}`],
});
const empty = { name: "node", command: process.execPath, args: ["--input-type=module", "-e", ""] };

console.log(`loading a package as it is installed, ${ROUNDS} rounds, node ${process.versions.node}`);
printTable(await timeInTurn([empty, ...PACKAGES.map(load)], ROUNDS), ["node"]);
