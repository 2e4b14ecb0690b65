import { defineConfig } from "vitest/config";

// Suites on virtual and nspawn machines run after the others, two files at a time.
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
          // Most of their time machines are waited for; the unit tests would be in their way.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
