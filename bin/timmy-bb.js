#!/usr/bin/env node
// Loads the built program. CommonJS (see package.json beside it): Node's loader of ES modules alone takes 4 ms.
"use strict";

// A program that cannot even be loaded must not exit 1, which means "absent"; nor must a fault that nobody caught: Node's own exit
// code for it is 1, too.
function fail(what, error) {
  process.stderr.write(`timmy-bb: ${what}: ${error instanceof Error ? error.message : error}\n`);
  process.exit(70);
}
for (const event of ["uncaughtException", "unhandledRejection"]) {
  process.on(event, (error) => fail("a fault of timmy-bb", error));
}

async function run(program, keepCode) {
  const code = await program.main(
    program.commandWords(process.argv.slice(2)),
    program.processIo(),
    program.surroundings(),
  );
  if (code === 0) keepCode(program.lastCall());
  // Every write has been waited for, so nothing is cut off; a DNS look-up under way must not hold the process back.
  process.exit(code);
}

try {
  const { load, keepCode } = require("./load.js");
  run(load(`${__dirname}/../dist/timmy-bb.cjs`), keepCode).catch((error) =>
    fail("a fault of timmy-bb", error),
  );
} catch (error) {
  fail("cannot be loaded", error);
}
