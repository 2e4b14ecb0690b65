import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { operations } from "../../src/local/s3/operations.ts";
import { services } from "../../src/local/services.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/local-cloud.md"), "utf8");

/** The names of actions in the table with this head. */
function namedIn(head: string): string[] {
  const table = text.slice(text.indexOf(`${head}\n`)).split("\n\n")[0] ?? "";
  return [...table.matchAll(/\b[A-Z][a-z]+[A-Z]\w+/g)].map(([name]) => name).sort();
}

test("the table of actions in docs/local-cloud.md is complete, and names nothing else", () => {
  const implemented = services.flatMap(({ actions }) => [...actions.keys()]);
  expect(namedIn("| what | actions |")).toEqual(implemented.sort());
});

test("so is the table of the object store's operations", () => {
  expect(namedIn("| about | operations |")).toEqual(operations.map(({ action }) => action).sort());
});
