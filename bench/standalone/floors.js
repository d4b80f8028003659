// What no program of this kind can be below: the compiler's empty program, and one that only loads `node:fs` and reads one row by
// `node:sqlite`, each compiled as the executable is.
import { spawnSync } from "node:child_process";
import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const COMPILERS = join(import.meta.dirname, "../../infrastructure/standalone/node_modules/@oven");
const SETTINGS = [
  "--compile",
  "--bytecode",
  "--format=cjs",
  "--minify",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--compile-jit-policy=10",
];
const PROGRAMS = {
  "empty program, compiled": "",
  "that loads `node:fs`": 'require("node:fs").existsSync("/")',
  "that opens the board and reads": `const { DatabaseSync } = require("node:sqlite"); require("node:fs").existsSync("/");
    new DatabaseSync(process.env.TIMMY_BB_DATA_DIR + "/board.db").prepare("SELECT 1 FROM entries LIMIT 1").get(); process.exit(0);`,
};

/** @param directory where they are put, and the board is */
export function floors(directory) {
  const [platform] = readdirSync(COMPILERS);
  return Object.entries(PROGRAMS).map(([name, text], index) => {
    const [source, program] = [join(directory, `floor${index}.cjs`), join(directory, `floor${index}`)];
    writeFileSync(source, text);
    const words = ["build", source, ...SETTINGS, `--outfile=${program}-compiled`];
    const { status, stderr } = spawnSync(join(COMPILERS, platform, "bin/bun"), words, { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    copyFileSync(`${program}-compiled`, program);
    return { name, command: program, args: [], env: { TIMMY_BB_DATA_DIR: directory } };
  });
}
