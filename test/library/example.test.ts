import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");

test("the example of the documentation is the one that is compiled here, and run by test/e2e/bake-and-launch.test.ts", () => {
  const example = readFileSync(join(import.meta.dirname, "example.ts"), "utf8").trimEnd();
  expect(readFileSync(join(root, "docs", "library.md"), "utf8")).toContain(`\`\`\`ts\n${example}\n\`\`\``);
});
