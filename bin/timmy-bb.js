#!/usr/bin/env node
// Loads the built program. A program that cannot even be loaded must not exit 1, which means "absent".
let code = 70;

// Nor must a fault that nobody caught: Node's own exit code for it is 1, too.
for (const event of ["uncaughtException", "unhandledRejection"]) {
  process.on(event, (error) => {
    process.stderr.write(
      `timmy-bb: a fault of timmy-bb: ${error instanceof Error ? error.message : error}\n`,
    );
    process.exit(70);
  });
}

try {
  const { commandWords, main, processIo, surroundings } = await import("../dist/main.js");
  code = await main(commandWords(process.argv.slice(2)), processIo(), surroundings());
} catch (error) {
  process.stderr.write(`timmy-bb: cannot be loaded: ${error instanceof Error ? error.message : error}\n`);
}
// Every write has been waited for, so nothing is cut off; a DNS look-up under way must not hold the process back.
process.exit(code);
