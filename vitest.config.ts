/**
 * How the tests run: real processes and servers, on two cores, no retries. The inventory of the conformance suite is a
 * project of its own because it must come after everything else.
 */
import { defineConfig } from "vitest/config";

const INVENTORY = "test/conformance/inventory.test.ts";

const shared = {
  pool: "forks",
  maxWorkers: 4, // more than cores: a third of the time a test waits for a process or a server
  testTimeout: process.env.SOAK ? 600_000 : 60_000,
  hookTimeout: 30_000,
  retry: 0,
  allowOnly: false,
} as const;

export default defineConfig({
  test: {
    ...shared,
    globalSetup: "test/helpers/global-setup.ts",
    projects: [
      {
        test: {
          ...shared,
          name: "suite",
          include: ["test/**/*.test.ts"],
          // What tests the executable alone needs one: `npm run test:standalone` makes it and names it.
          exclude: [INVENTORY, ...(process.env.TEST_PROGRAM ? [] : ["test/standalone/**"])],
          sequence: { groupOrder: 1 },
        },
      },
      { test: { ...shared, name: "inventory", include: [INVENTORY], sequence: { groupOrder: 2 } } },
    ],
  },
});
