/** How the tests run: real processes and servers, on two cores, no retries. */
import { defineConfig } from "vitest/config";

const INVENTORY = "test/conformance/inventory.test.ts";

export default defineConfig({
  test: {
    globalSetup: "test/helpers/global-setup.ts",
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    retry: 0,
    allowOnly: false,
    projects: [
      {
        extends: true,
        test: {
          name: "suite",
          globalSetup: [],
          include: ["test/**/*.test.ts"],
          exclude: [INVENTORY],
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { name: "inventory", globalSetup: [], include: [INVENTORY], sequence: { groupOrder: 2 } },
      },
    ],
  },
});
