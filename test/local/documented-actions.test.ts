import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { services } from "../../src/local/services.ts";

test("the table of actions in docs/local-cloud.md is complete, and names nothing else", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/local-cloud.md"), "utf8");
  const [, table = ""] = /\| what \| actions \|\n\| --- \| --- \|\n((?:\|.*\n)+)/.exec(text) ?? [];
  const named = [...table.matchAll(/\b[A-Z][a-z]+[A-Z]\w+/g)].map(([name]) => name);
  const implemented = services.flatMap(({ actions }) => [...actions.keys()]);
  expect(named.sort()).toEqual(implemented.sort());
});
