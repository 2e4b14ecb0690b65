import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseDeclaration } from "../../src/catalog/declaration.ts";
import { serviceSchema } from "../../src/catalog/schema.ts";
import { serviceJsonSchema, withKeyTable } from "../../src/catalog/schema-docs.ts";

const docs = join(import.meta.dirname, "../../docs");
const advice = "run: node scripts/docs.mjs";

test("the table in docs/services.md is up to date", () => {
  const page = readFileSync(join(docs, "services.md"), "utf8");
  expect(withKeyTable(page) === page, advice).toBe(true);
  for (const key of Object.keys(serviceSchema.shape)) expect(page).toContain(`| \`${key}\` |`);
});

test("the JSON Schema is up to date", () => {
  expect(readFileSync(join(docs, "service.schema.json"), "utf8") === serviceJsonSchema(), advice).toBe(true);
});

test("a page without a place for the table is refused", () => {
  expect(() => withKeyTable("# page\n")).toThrow("the page has no place for the table");
});

test("every example in the schema is valid", () => {
  const page = readFileSync(join(docs, "services.md"), "utf8");
  const examples = [
    ...page.matchAll(/`((?:description|requires|packages|units|parameters|timeout|retries): [^`]+)`/g),
  ];
  expect(examples.length).toBeGreaterThanOrEqual(8);
  for (const [, example = ""] of examples) {
    expect(parseDeclaration(new TextEncoder().encode(example)).problems, example).toEqual([]);
  }
});
