// Where the standalone executable begins: what bin/timmy-bb.js is on Node. All is inside, so nothing can fail to load.
const { start } = require("../../src/main.ts");

/** By then it is a long call, which is to be compiled like any other program (see build-standalone.js). Milliseconds. */
const LONG_MS = 20;

// A fault that nobody caught must not exit 1, which means "absent".
for (const event of ["uncaughtException", "unhandledRejection"]) {
  process.on(event, (error) => {
    process.stderr.write(
      `timmy-bb: a fault of timmy-bb: ${error instanceof Error ? error.message : error}\n`,
    );
    process.exit(70);
  });
}

setTimeout(() => globalThis.Bun?.unsafe.setJITPolicy(1), LONG_MS).unref(); // `?.`: a test runs this on Node
// Every write has been waited for, so nothing is cut off; a DNS look-up under way must not hold the process back.
start(process.argv.slice(2)).then((code) => process.exit(code));
