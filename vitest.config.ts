import { defineConfig } from "vitest/config";

// The suites that share one machine's CPU with virtual machines run one file at a time;
// see scripts/test.sh for the order in which the groups run.
const slow = ["test/phases/**/*.test.ts", "test/e2e/**/*.test.ts", "test/**/*.machine.test.ts"];

export default defineConfig({
  test: {
    globalSetup: ["test/support/build.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: slow,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: "machine",
          include: slow,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
